"""The plans of a todo's reminders: which reminders it is to have, and when each fires. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

from ..events.models import TodoCompleted, TodoDeleted, TodoEvent, TodoUpdated
from ..events.todos import Todo
from ..schedules.alarms import Plan
from ..schedules.offsets import parse_offset
from ..schedules.zones import zone_named
from .known_todo import KnownTodo, todo_of

_IDS = UUID("6f1f3f0e-3c1c-4f62-9a55-6d3c58d2a6b1")


def plans(known: KnownTodo) -> dict[str, Plan]:
    """The plans of all reminders that the todo is to have now, by reminder id; none if it is closed."""
    if not (known.is_open and known.todo["reminders"] and known.todo["due"]):
        # Not read before: what is wrong with the schedule of such a todo does not matter.
        return {}
    todo = todo_of(known.todo)
    found = (plan_of(todo, before_due) for before_due in todo.reminders)
    return {reminder_id(todo.id, str(plan.offset)): plan for plan in found}


def plan_of(todo: Todo, before_due: str) -> Plan:
    """The plan of one reminder of a todo that has a due time."""
    assert todo.due is not None
    return Plan(todo.due, todo.owner.time_zone, parse_offset(before_due), todo.recurrence)


def reminder_id(todo_id: str, before_due: str) -> str:
    """The id of a reminder: always the same for the same offset of a todo."""
    return str(uuid5(_IDS, f"{before_due} {todo_id}"))


def called_off(event: TodoEvent, now: datetime) -> list[str]:
    """The ids of the reminders that an event calls off, by what it says itself: no other event counts.

    Those whose only time has passed are not among them. Raises ValueError for a schedule or a time zone that
    is none.
    """
    todo = event.todo
    offsets, due = todo.reminders, todo.due
    is_closing = isinstance(event, TodoCompleted | TodoDeleted)
    if isinstance(event, TodoUpdated):
        if event.changes.keys().isdisjoint({"reminders", "due"}):
            return []
        if "reminders" in event.changes:
            before = event.changes["reminders"].before
            offsets = tuple(map(str, before)) if isinstance(before, list | tuple) else ()
        if "due" in event.changes:
            before = event.changes["due"].before
            due = datetime.fromisoformat(before) if isinstance(before, str) else None
    elif not is_closing:
        return []
    if due is None or not offsets:
        return []
    kept = () if is_closing or todo.due is None else todo.reminders
    left = {str(parse_offset(text)) for text in kept}
    zone = zone_named(todo.owner.time_zone)
    return [
        reminder_id(todo.id, str(offset))
        for offset in map(parse_offset, offsets)
        if str(offset) not in left and (todo.recurrence or offset.before(due, zone) > now)
    ]
