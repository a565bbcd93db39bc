"""Renders a notice: subject, text and HTML from `templates/<kind>/`. Pure but for reading the templates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from css_inline import InlineError
from jinja2 import TemplateError, TemplateNotFound

from workers.display.spelling import did_you_mean

from ..text import one_line
from .inline_styles import inlined
from .languages import Language, language_for
from .notice import Notice, RenderError
from .template_environment import environment_for

#: Longest subject, in characters.
MAX_SUBJECT_LENGTH = 150

#: The templates of a kind.
PARTS = ("subject.txt", "body.txt", "body.html")

#: The file beside them that has a value for each of their variables.
SAMPLE = "sample.json"


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
    try:
        values = json.loads(
            files("templates").joinpath(require_kind(kind), SAMPLE).read_text(encoding="utf-8")
        )
    except FileNotFoundError as exc:
        raise RenderError(f"There is no {kind}/{SAMPLE} beside the mail templates; it is needed") from exc
    except ValueError as exc:
        raise RenderError(f"{kind}/{SAMPLE} beside the mail templates is not JSON: {exc}") from exc
    if not isinstance(values, dict):
        raise RenderError(f"{kind}/{SAMPLE} beside the mail templates is not a JSON object of values")
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
        environment = environment_for(language)
        page = environment.get_template(template)
        # As its `render`, which copies all globals by way of slow mappings.
        shown = page.new_context({**environment.globals, **values}, shared=True)
        return "".join(page.root_render_func(shown))
    except TemplateNotFound as exc:
        raise RenderError(
            f"The mail template {template} could not be rendered: there is no template {exc.name}"
        ) from exc
    except Exception as exc:  # a template may do anything with a value
        reason = f"{type(exc).__name__}: {exc}" if not isinstance(exc, TemplateError) else exc
        raise RenderError(f"The mail template {template} could not be rendered: {reason}") from exc


def _inlined(kind: str, html: str) -> str:
    try:
        return inlined(html)
    except (InlineError, ValueError) as exc:
        raise RenderError(f"The styles of {kind}/body.html could not be inlined: {exc}") from exc
