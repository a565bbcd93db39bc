"""Turns an event into the entry that the audit trail keeps of it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..events.models import AnyEvent, Context, TodoDeleted, TodoUpdated
from ..events.trace_context import TRACE_ATTRIBUTES
from .chain import AuditEntry

#: The fields of an event that have a column of their own.
_COLUMNS = ("event_id", "type", "time", "actor")

#: What is left of the CloudEvent of an event that we publish.
_OUR_CONTEXT = Context().model_dump(mode="json")

_SIDES = ("before", "after")

#: The detail that is not part of the event's content: its place in the event log.
LOG_POSITION = "log_position"


def entry_of(event: AnyEvent) -> AuditEntry:
    """Return the entry of ``event``.

    An update has the changed fields as they were and as they are, and the whole todo in the details; a
    deleted todo has only a ``before``, any other only an ``after``. Everything else that the event says,
    whether this version knows it or not, is in the details.
    """
    # Fields that the event does not set stay out: a later version knows more fields, and must get the same.
    data = event.model_dump(mode="json", exclude_unset=True, warnings=False)
    before, after, details = _what_changed(event, {k: v for k, v in data.items() if k not in _COLUMNS})
    if event.cloudevent == Context():
        details.pop("cloudevent", None)
    for name in (LOG_POSITION, "stated_time"):
        if details.get(name) is None:
            details.pop(name, None)
    return AuditEntry(
        event_id=str(event.event_id),
        type=event.type,
        time=event.time,
        actor=event.actor,
        todo_id=event.todo_id,
        before=before,
        after=after,
        details=details,
    )


def says_the_same(one: AuditEntry, other: AuditEntry) -> bool:
    """Whether two entries are of the same event, which may have been published twice, at two places."""
    return _content(one) == _content(other)


def _content(entry: AuditEntry) -> AuditEntry:
    """The entry without what differs when the same event is published again: its place, and its trace."""
    details = {k: v for k, v in entry.details.items() if k not in (LOG_POSITION, "cloudevent")}
    context = {k: v for k, v in entry.details.get("cloudevent", {}).items() if k not in TRACE_ATTRIBUTES}
    if context not in ({}, _OUR_CONTEXT):
        details["cloudevent"] = context
    return replace(entry, details=details)


def _what_changed(event: AnyEvent, data: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    if isinstance(event, TodoUpdated):
        changes: dict[str, dict[str, Any]] = data.pop("changes")
        before, after = ({name: change[side] for name, change in changes.items()} for side in _SIDES)
        more = {name: _without_sides(change) for name, change in changes.items() if _without_sides(change)}
        return before, after, data | ({"changes": more} if more else {})
    todo = data.pop("todo", None)
    return (todo, None, data) if isinstance(event, TodoDeleted) else (None, todo, data)


def _without_sides(change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in change.items() if name not in _SIDES}
