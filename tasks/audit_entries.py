"""From an event to what the audit trail says of it. Pure."""

from __future__ import annotations

from typing import Any

from .audit_chain import Entry
from .events import TodoDeleted, TodoEvent, TodoUpdated


def entry_of(event: TodoEvent) -> Entry:
    """Give what is recorded of ``event``.

    An update has the changed fields as they were and as they are; a deleted todo has only a before, any other
    only an after.
    """
    data = event.model_dump(mode="json")
    todo, details = data["todo"], {}
    before: Any = None
    after: Any = todo
    if isinstance(event, TodoUpdated):
        before = {name: change["before"] for name, change in data["changes"].items()}
        after = {name: change["after"] for name, change in data["changes"].items()}
        details = {"todo": todo}
    elif isinstance(event, TodoDeleted):
        before, after = todo, None
    return Entry(
        str(event.event_id), event.type, event.time, event.actor, event.todo.id, before, after, details
    )
