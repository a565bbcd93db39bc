"""TODO."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID, uuid5

from ..events.todos import Todo
from ..schedules.alarms import Plan
from ..schedules.offsets import parse_offset
from .known_todo import Known, todo_of

_IDS = UUID("6f1f3f0e-3c1c-4f62-9a55-6d3c58d2a6b1")


def plans(known: Known) -> dict[str, Plan]:
    """Give the plans of the reminders that the todo is to have, by the ids of the reminders."""
    todo = todo_of(known.todo)
    if not known.is_open or todo.due is None:
        return {}
    return {reminder_id(todo.id, str(plan.offset)): plan for plan in _plans(todo, todo.due)}


def plan_of(todo: Todo, before_due: str) -> Plan:
    """Give the plan of one reminder of a todo that has a due time."""
    assert todo.due is not None
    return Plan(todo.due, todo.owner.time_zone, parse_offset(before_due), todo.recurrence)


def reminder_id(todo_id: str, before_due: str) -> str:
    """Give the id of a reminder: the same offset of a todo always has the same."""
    return str(uuid5(_IDS, f"{before_due} {todo_id}"))


def _plans(todo: Todo, due: datetime) -> Iterable[Plan]:
    return (Plan(due, todo.owner.time_zone, parse_offset(text), todo.recurrence) for text in todo.reminders)
