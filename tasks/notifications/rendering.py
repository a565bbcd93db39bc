"""Renders a notice: subject, text and HTML from `templates/<kind>/`. Pure but for reading the templates."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from css_inline import CSSInliner, InlineError
from jinja2 import PackageLoader, StrictUndefined, TemplateError, Undefined, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from settings.spelling import did_you_mean

from ..events.todos import Owner
from ..text import one_line, paragraphs, shorten
from .languages import Language, language_for
from .notice import Notice, RenderError
from .schedule_words import offset_words, rule_words

#: Longest subject, in characters.
MAX_SUBJECT_LENGTH = 150

#: Longest value shown in a list of changes, in characters.
MAX_CHANGE_LENGTH = 1_000

#: The templates of a kind.
PARTS = ("subject.txt", "body.txt", "body.html")

# At-rules (for dark and for narrow screens) cannot be inlined; they stay in the style element.
_INLINER = CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


@dataclass(frozen=True)
class RenderedNotice:
    """The words of a notice's mail. The subject is one line; ``language`` is a tag like de."""

    subject: str
    text: str
    html: str
    language: str = "en"


@cache
def kinds() -> tuple[str, ...]:
    """The kinds of notices that there are templates for."""
    folders = (folder for folder in files("templates").iterdir() if folder.is_dir())
    return tuple(sorted(folder.name for folder in folders if folder.joinpath(PARTS[0]).is_file()))


def require_kind(kind: str) -> str:
    """Return ``kind``. Raises RenderError if there are no templates for it."""
    if kind not in kinds():
        hint = did_you_mean(kind, kinds(), otherwise=f"; those are {', '.join(kinds())}")
        raise RenderError(f"There are no mail templates for the kind {kind!r}{hint}")
    return kind


def sample_values(kind: str) -> dict[str, Any]:
    """Values for a preview of a kind's templates; every variable has one. Raises RenderError."""
    found = files("templates").joinpath(require_kind(kind), "sample.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(found)
    return values


def render(notice: Notice) -> RenderedNotice:
    """Render a notice in its recipient's language and zone.

    Raises:
        RenderError: there is no such kind, a template is wrong, or a value is missing or of another type
            than the template expects. A mail never has a gap.
    """
    require_kind(notice.kind)
    language = language_for(notice.recipient.language)
    values = context(notice)
    subject, text, html = (render_part(f"{notice.kind}/{part}", values, language) for part in PARTS)
    if not one_line(subject):
        raise RenderError(f"The mail template {notice.kind}/{PARTS[0]} gave an empty subject")
    return RenderedNotice(
        one_line(subject, MAX_SUBJECT_LENGTH), text, _inlined(notice.kind, html), language.code
    )


def context(notice: Notice) -> dict[str, Any]:
    """The variables of the templates: those that every kind has, and the notice's values."""
    recipient = notice.recipient
    return notice.values | {
        "owner": one_line(recipient.name),
        "time_zone": recipient.time_zone,
        "language": language_for(recipient.language).code,
    }


def render_part(template: str, values: Mapping[str, Any], language: Language) -> str:
    """Render one template of the package `templates`, for example ``todo_created/body.txt``.

    Raises:
        RenderError: it does not exist, is wrong, names a variable that is not in ``values``, or cannot use
            a value.
    """
    try:
        return _environment(language).get_template(template).render(values)
    except Exception as exc:  # a template may do anything with a value
        reason = f"{type(exc).__name__}: {exc}" if not isinstance(exc, TemplateError) else exc
        raise RenderError(f"The mail template {template} could not be rendered: {reason}") from exc


def _inlined(kind: str, html: str) -> str:
    try:
        return _INLINER.inline(html)
    except (InlineError, ValueError) as exc:
        raise RenderError(f"The styles of {kind}/body.html could not be inlined: {exc}") from exc


@cache
def _environment(language: Language) -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        loader=PackageLoader("templates", ""),
        extensions=["jinja2.ext.i18n"],
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.install_gettext_translations(language.words, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {"line": _line, "paragraphs": _paragraphs} | _filters(language)
    return environment


def _filters(language: Language) -> dict[str, Callable[..., str]]:
    @pass_context
    def time(context: Context, value: object) -> str:
        """A time, given in ISO 8601, in the recipient's zone and language."""
        moment = datetime.fromisoformat(_text(value))
        if moment.tzinfo is None:
            raise ValueError(f"the time {value!r} has no zone")
        return language.show_time(moment, ZoneInfo(context["time_zone"]))

    def owner(_: Context, value: Any) -> str:
        known = Owner.model_validate(value)
        return f"{one_line(known.name)} <{known.email}>"

    def description(_: Context, value: Any) -> str:
        return shorten(_paragraphs(value), MAX_CHANGE_LENGTH)

    fields: dict[str, Callable[[Context, Any], str]] = {
        "due": time,
        "owner": owner,
        "title": lambda _, value: one_line(_text(value)),
        "reminders": lambda _, value: ", ".join(offset_words(_line(one), language) for one in value),
        "recurrence": lambda _, value: rule_words(one_line(_text(value)), language),
    }

    @pass_context
    def field_value(context: Context, value: Any, field: str) -> str:
        """The value of a todo's field in words; no value is an empty text."""
        return "" if value is None or value == "" else fields.get(field, description)(context, value)

    return {"time": time, "field_value": field_value}


def _line(value: object) -> str:
    line = one_line(_text(value))
    if not line:
        raise ValueError("the text is blank")
    return line


def _paragraphs(value: object) -> str:
    return paragraphs(_text(value))


def _text(value: object) -> str:
    if isinstance(value, Undefined):
        str(value)  # raises an error that names the variable
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value
