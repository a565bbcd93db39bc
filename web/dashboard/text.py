"""Makes text of others fit to be shown: whatever a job, an error or a title holds. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import date, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any
from uuid import UUID

from markupsafe import Markup, escape

#: Control characters but line ends and tabs, halves of surrogate pairs, and marks that turn the direction of
#: a text or join and part what is around them: they could make a line read as another one.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
#: Those of them that no reference in HTML stands for, or that a form sends as others.
_EXCHANGED = re.compile("[\x00\r\x7f-\x9f\ud800-\udfff]")
#: How many characters of a text are shown where nothing else is said, and where there is room.
SHORT, LONG = 300, 100_000
#: What stands for the value of a masked field.
MASK = "••••••"
#: Types of values whose text has no fields.
_PLAIN = (str, int, float, NoneType, date, time, timedelta, Decimal, UUID)


def visible(text: str) -> str:
    """The text with each hidden character written out, as in `\\u202e`; JSON text keeps its meaning."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def cut(text: str, most: int) -> str:
    """The beginning of a long text, and how long it is."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def finalize(value: Any) -> Any:
    """What a template prints of a value: our own markup as it is, any other text visible and cut."""
    if value is None:
        return ""
    if isinstance(value, Markup):
        return value
    return visible(cut(str(value), SHORT))


def long(text: str) -> Markup:
    """Text that may be long, such as a traceback."""
    return escape(visible(cut(text, LONG)))


def field(text: str) -> Markup:
    """Text of a form's field, whole: a browser sends it back as it is.

    Hidden characters are references. Those that a browser would exchange for others are written out.
    """
    shown = _EXCHANGED.sub(lambda found: visible(found[0]), text.replace("\r\n", "\n"))
    sent = _HIDDEN.sub(lambda found: f"&#x{ord(found[0]):x};", str(escape(shown)))
    return Markup(sent)  # noqa: S704 - it is escaped


def as_json(value: Any) -> str:
    """A value as JSON for people: the order of keys and the digits of numbers are kept.

    A value of a type that JSON has not is shown as its ``repr``.
    """
    try:
        return visible(json.dumps(value, indent=2, ensure_ascii=False, default=repr))
    except (RecursionError, ValueError, TypeError):
        return visible(cut(_repr(value), LONG))


def masked(value: Any, fields: Collection[str], depth: int = 60) -> Any:
    """The value with those of the named fields hidden, in any case; below a depth that nobody reads, all.

    If any field is to be hidden, so are values of types that JSON has not: their ``repr`` may show it.
    """
    if depth == 0:
        return MASK
    if isinstance(value, dict):
        return {
            name: MASK if str(name).casefold() in fields else masked(inner, fields, depth - 1)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(inner, fields, depth - 1) for inner in value]
    return MASK if fields and not isinstance(value, _PLAIN) else value


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as exc:  # noqa: BLE001 - a type of the application's own may raise anything
        return f"<cannot be shown: {type(exc).__name__}>"
