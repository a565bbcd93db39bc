"""From an event to what the audit trail says of it. Pure."""

from __future__ import annotations

from typing import Any

from .audit_chain import Entry
from .events import AnyEvent, Context, TodoDeleted, TodoEvent, TodoUpdated

#: What has columns of its own, or is said by before and after.
_SHOWN = {"type", "event_id", "time", "actor", "todo", "changes"}


def entry_of(event: AnyEvent) -> Entry:
    """Give what is recorded of ``event``.

    An update has the changed fields as they were and as they are; a deleted todo has only a before, any other
    only an after. What else the event says, known to this version or not, is in the details.
    """
    data = event.model_dump(mode="json")
    details = {name: value for name, value in data.items() if name not in _SHOWN}
    if event.cloudevent == Context():
        del details["cloudevent"]
    todo = data["todo"] if isinstance(event, TodoEvent) else None
    before: Any = None
    after: Any = todo
    if isinstance(event, TodoUpdated):
        before = {name: change["before"] for name, change in data["changes"].items()}
        after = {name: change["after"] for name, change in data["changes"].items()}
        details["todo"] = todo
    elif isinstance(event, TodoDeleted):
        before, after = todo, None
    return Entry(
        str(event.event_id), event.type, event.time, event.actor, event.todo_id, before, after, details
    )
