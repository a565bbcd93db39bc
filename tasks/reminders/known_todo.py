"""What events say about the reminders of a todo, in whichever order they come. Pure.

Of each todo three things are known: the newest event, with the todo as it was then; the newest that opened it
(created); the newest that closed it (completed, deleted). Each is replaced by a newer one only, so the same
events give the same result in any order and however often they come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from ..events.models import TodoCompleted, TodoCreated, TodoDeleted, TodoEvent, TodoUpdated
from ..events.todos import Owner, Todo
from ..notifications.notice import Notice
from ..schedules.alarms import Alarm, Plan
from ..schedules.offsets import parse_offset

#: The kind of the notices that reminders make.
NOTICE_KIND = "todo_reminder"

_IDS = UUID("6f1f3f0e-3c1c-4f62-9a55-6d3c58d2a6b1")
_TIME = "%Y-%m-%dT%H:%M:%S.%f"
#: Of events at the same time, which is the newer one.
_RANKS = {TodoCreated: 0, TodoUpdated: 1, TodoCompleted: 2, TodoDeleted: 3}


class State(StrEnum):
    """Of a reminder: it waits for its alarm; no alarm is left; it was called off."""

    WAITING = "waiting"
    DONE = "done"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """What came of an alarm: told in time, told late, or not told because it was too late."""

    SENT = "sent"
    LATE = "late"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Policy:
    """What is done about an alarm that comes more than ``grace`` late: skip it, or tell late that it is."""

    skips: bool
    grace_s: float

    def outcome(self, at: datetime, now: datetime) -> Outcome:
        if (now - at).total_seconds() <= self.grace_s:
            return Outcome.SENT
        return Outcome.SKIPPED if self.skips else Outcome.LATE


@dataclass(frozen=True)
class Known:
    """What is known of a todo; the events are given by `order_of`."""

    newest: str
    opening: str | None
    closing: str | None
    todo: dict[str, Any]

    @property
    def is_open(self) -> bool:
        """Whether it may have reminders. Who completes or deletes a todo ends a series, too."""
        return self.closing is None or (self.opening is not None and self.opening > self.closing)

    @property
    def since(self) -> datetime:
        """When the newest event happened."""
        return datetime.strptime(self.newest[:26], _TIME).replace(tzinfo=UTC)


def order_of(event: TodoEvent) -> str:
    """Give a text that is greater for the newer of two events of a todo."""
    return f"{event.time.astimezone(UTC).strftime(_TIME)} {_RANKS.get(type(event), 0)} {event.event_id}"


def learn(known: Known | None, event: TodoEvent) -> Known:
    """Add what an event says to what is known of its todo."""
    order = order_of(event)
    todo = event.todo.model_dump(mode="json")
    if known is None:
        known = Known(order, None, None, todo)
    elif order > known.newest:
        known = replace(known, newest=order, todo=todo)
    if isinstance(event, TodoCreated):
        return replace(known, opening=max(order, known.opening or order))
    if isinstance(event, TodoCompleted | TodoDeleted):
        return replace(known, closing=max(order, known.closing or order))
    return known


def may_be_ignored(event: TodoEvent) -> bool:
    """Whether an event says nothing about reminders, where nothing is known of its todo yet.

    So a todo that never had reminders costs no row. An event has its todo as it is afterwards: of one that
    had reminders, an older event may still be on its way, but then this one has them too, or their removal.
    """
    removed = isinstance(event, TodoUpdated) and "reminders" in event.changes
    return not event.todo.reminders and not removed


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


def todo_of(data: dict[str, Any]) -> Todo:
    """Read a todo that was kept. Raises pydantic's ValidationError."""
    return Todo.model_validate(data)


def reminder_id(todo_id: str, before_due: str) -> str:
    """Give the id of a reminder: the same offset of a todo always has the same."""
    return str(uuid5(_IDS, f"{before_due} {todo_id}"))


def firing_id(reminder: str, alarm: Alarm, moved_version: int | None) -> str:
    """Give the id of what fires, and of its notice: an occurrence is told once.

    ``moved_version`` is the reminder's version where its alarm was set by hand: that is told once more.
    """
    more = "" if moved_version is None else f" {moved_version}"
    return str(uuid5(UUID(reminder), f"{alarm.occurrence.astimezone(UTC).isoformat()}{more}"))


def notice_for(firing: str, todo: Todo, alarm: Alarm, *, late: bool) -> Notice:
    """Give the notice of a reminder.

    It is urgent: quiet hours do not put off what its owner set a time for.
    """
    values = {
        "title": todo.title,
        "due": alarm.occurrence.astimezone(UTC).isoformat(),
        "when": alarm.at.astimezone(UTC).isoformat(),
        "late": late,
    }
    recipient: Owner = todo.owner
    return Notice(id=UUID(firing), kind=NOTICE_KIND, recipient=recipient, values=values, urgent=True)


def _plans(todo: Todo, due: datetime) -> Iterable[Plan]:
    return (Plan(due, todo.owner.time_zone, parse_offset(text), todo.recurrence) for text in todo.reminders)
