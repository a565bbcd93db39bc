"""A notice, one piece of news for one person, sent once; and the notice that an event makes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from workers.errors import WorkersError

from ..events.fields import FieldName, Json
from ..events.models import CHANGEABLE, TodoEvent, TodoUpdated, problems_of
from ..events.todos import Owner

_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}")


class InvalidNotice(WorkersError, ValueError):
    """The data is not a valid notice."""


def _kind(name: str) -> str:
    if not _KIND.fullmatch(name):
        raise ValueError("is not the name of a kind, like todo_created")
    return name


class Notice(BaseModel):
    """One piece of news for one person, sent once: notices with the same ``id`` are the same notice.

    ``kind`` names the folder of its templates. ``values`` are the templates' variables, as JSON values: text
    as the user wrote it, times in ISO 8601. The templates and the recipient's language and zone decide how
    they are shown. An ``urgent`` notice does not wait for the end of the recipient's quiet hours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: UUID
    kind: Annotated[str, AfterValidator(_kind)]
    recipient: Owner
    values: dict[FieldName, Json]
    urgent: bool = False


def parse_notice(data: object) -> Notice:
    """Read a notice from the output of ``notice.model_dump(mode="json")``.

    Raises:
        InvalidNotice: it does not validate; the text says what is wrong with each field.
    """
    try:
        return Notice.model_validate(dict(data) if isinstance(data, Mapping) else data)
    except ValidationError as exc:
        raise InvalidNotice(f"Not a valid notice: {problems_of(exc)}") from exc


def kind_of(event: TodoEvent) -> str:
    """The kind of the notice about an event."""
    return event.type.replace(".", "_")


def notice_of(event: TodoEvent, *, id: UUID) -> Notice:  # noqa: A002
    """Make the notice to the owner of the todo about ``event``."""
    # Not validated once more: that takes longer than all else here.
    return Notice.model_construct(
        id=id,
        kind=kind_of(event),
        recipient=event.todo.owner,
        values=_values_of(event),
        urgent=False,
    )


def _values_of(event: TodoEvent) -> dict[str, Any]:
    todo = event.todo
    values: dict[str, Any] = {
        "title": todo.title,
        "description": todo.description,
        "due": _json_of(todo.due) if todo.due else None,
        "actor": event.actor,
        "time": _json_of(event.time),
    }
    if isinstance(event, TodoUpdated):
        # The templates have no name for a field of a newer version.
        values["changes"] = [
            {"field": name, "before": change.before, "after": change.after}
            for name, change in event.changes.items()
            if name in CHANGEABLE
        ]
    return values


def _json_of(time: datetime) -> str:
    """A time in UTC as pydantic writes it."""
    return time.isoformat().replace("+00:00", "Z")


class RenderError(WorkersError):
    """A mail template could not be rendered."""
