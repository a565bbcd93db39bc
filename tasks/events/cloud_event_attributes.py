"""Checks the attributes of a CloudEvent. Pure.

Nearly all are valid and written in the same plain way, which is seen at once. Any others are left to the
model of cloudevents, which knows all the rules and says what is wrong. It is loaded only then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

#: The attributes that must be texts. The first four have to be there.
TEXTS = ("specversion", "id", "source", "type", "subject", "datacontenttype", "dataschema")
#: The attributes of nearly all events, whose names need no look.
_KNOWN = frozenset((*TEXTS, "time"))
_NAMES = re.compile(r"[a-z0-9]+")
_TIME = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-9:]{8}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")


def parse_time(text: Any) -> datetime:
    """Read a time in any form of ISO 8601. Raises ValueError or TypeError."""
    if isinstance(text, str) and _TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass  # such as 24:00, which is in the standard
    from dateutil.parser import isoparse  # noqa: PLC0415 - rarely needed

    return isoparse(text)


def problems_of(attributes: Mapping[str, Any], time: datetime | None = None) -> str | None:
    """What is wrong with the attributes, in words; None if nothing is. ``time`` is theirs, parsed."""
    if _are_plain(attributes) and (time is None or time.tzinfo is not None):
        return None
    from cloudevents.core.exceptions import CloudEventValidationError  # noqa: PLC0415 - rarely needed
    from cloudevents.core.v1.event import CloudEvent  # noqa: PLC0415

    try:
        CloudEvent({**attributes, "time": time or datetime.now(UTC)})
    except CloudEventValidationError as exc:
        return "; ".join(str(problems[0]) for problems in exc.errors.values() if problems)
    return None


def _are_plain(attributes: Mapping[str, Any]) -> bool:
    """Whether they are valid beyond doubt."""
    return (
        attributes.get("specversion") == "1.0"
        and "data" not in attributes
        and all(isinstance(value := attributes.get(name, "-"), str) and value for name in TEXTS)
        and "id" in attributes
        and "source" in attributes
        and "type" in attributes
        and all(map(_NAMES.fullmatch, attributes.keys() - _KNOWN))
    )
