"""What the mail about an event says: subject, text and HTML, rendered from `templates/<kind>/`.

Pure but for reading the templates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import PackageLoader, StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from workers.errors import WorkersError

from .events import Event, Owner, TodoUpdated
from .text import one_line, paragraphs, shorten

#: Longest subject, in characters.
MAX_SUBJECT_LENGTH = 150

#: Longest value shown in a list of changes, in characters.
MAX_CHANGE_LENGTH = 1_000

_LABELS = {"title": "Title", "description": "Description", "due": "Due", "owner": "Owner"}


class RenderError(WorkersError):
    """A mail template could not be rendered."""


@dataclass(frozen=True)
class Notification:
    """A rendered mail without its addresses; the subject is one line."""

    subject: str
    text: str
    html: str


def notification_for(event: Event) -> Notification:
    """Render the mail that tells the owner of the todo about ``event``.

    Raises:
        RenderError: a template is wrong, for example names a variable that does not exist.
    """
    kind = event.type.replace(".", "_")
    values = context(event)
    return Notification(
        subject=one_line(render(f"{kind}/subject.txt", values), MAX_SUBJECT_LENGTH),
        text=render(f"{kind}/body.txt", values),
        html=render(f"{kind}/body.html", values),
    )


def context(event: Event) -> dict[str, Any]:
    """Give the variables of the templates: text that is ready to show, times in the owner's zone."""
    zone = ZoneInfo(event.todo.owner.time_zone)
    changes = event.changes if isinstance(event, TodoUpdated) else {}
    return {
        "title": one_line(event.todo.title),
        "description": paragraphs(event.todo.description),
        "due": show_time(event.todo.due, zone) if event.todo.due else "",
        "owner": one_line(event.todo.owner.name),
        "actor": one_line(event.actor),
        "time": show_time(event.time, zone),
        "time_zone": zone.key,
        "language": event.todo.owner.language,
        "changes": [
            {
                "label": _LABELS[name],
                "before": show_value(name, change.before, zone),
                "after": show_value(name, change.after, zone),
            }
            for name, change in changes.items()
            if name in _LABELS  # a field of a newer version has no name here
        ],
    }


def render(template: str, values: dict[str, Any]) -> str:
    """Render one template of the package `templates`, for example ``todo_created/body.txt``.

    Raises:
        RenderError: the template does not exist, is wrong, or names a variable that is not in ``values``.
    """
    try:
        return _environment().get_template(template).render(values)
    except TemplateError as exc:
        raise RenderError(f"The mail template {template} could not be rendered: {exc}") from exc


def show_time(time: datetime, zone: ZoneInfo) -> str:
    """Write ``time`` as a person in ``zone`` reads it: Friday, 5 June 2026, 17:00 CEST."""
    local = time.astimezone(zone)
    name = local.tzname() or ""
    # Zones without letters of their own are named by their offset, such as -03. At a minus sign, unlike at a
    # hyphen, no line is broken.
    abbreviation = "UTC" + name.replace("-", "\N{MINUS SIGN}") if name[:1] in {"+", "-"} else name
    return f"{local:%A}, {local.day} {local:%B} {local.year}, {local:%H:%M} {abbreviation}"


def show_value(field: str, value: Any, zone: ZoneInfo) -> str:
    """Write the value of a todo's field, given as in `Change`, for people; nothing as an empty text."""
    if value is None or value == "":
        return ""
    if field == "due":
        return show_time(datetime.fromisoformat(value), zone)
    if field == "owner":
        owner = Owner.model_validate(value)
        return f"{one_line(owner.name)} <{owner.email}>"
    if field == "title":
        return one_line(value)
    return shorten(paragraphs(value), MAX_CHANGE_LENGTH)


@cache
def _environment() -> SandboxedEnvironment:
    return SandboxedEnvironment(
        loader=PackageLoader("templates", ""),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
