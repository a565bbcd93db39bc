"""A reminder and its firings as people are shown them, made of their rows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from ..schedules.zones import zone_named
from ..text import joined
from .firings import due_told
from .outcomes import FiringOutcome, ReminderState


@dataclass(frozen=True)
class Reminder:
    """A reminder with what matters of its todo. Times are in UTC; ``time_zone`` is the owner's.

    ``occurrence`` is the due time that ``alarm_at`` reminds of; ``has_alarm`` says whether Kafka has the
    delayed job for it; ``is_moved`` whether the time was set by hand.
    """

    id: str
    todo_id: str
    title: str
    owner: str
    time_zone: str
    before_due: str
    recurrence: str | None
    state: ReminderState
    version: int
    occurrence: datetime | None
    alarm_at: datetime | None
    is_moved: bool
    has_alarm: bool
    fired_occurrence: datetime | None
    fired_at: datetime | None


@dataclass(frozen=True)
class Firing:
    """An alarm that was due, and what came of it; ``id`` is also that of its notice."""

    id: str
    occurrence: datetime
    alarm_at: datetime
    fired_at: datetime
    outcome: FiringOutcome
    is_sent: bool


def reminder_of(row: Row[Any]) -> Reminder:
    """Make a reminder of its row, which has the todo as well.

    An event that cancels reminders may be wrong in all else: lists of texts are shown as one text.
    """
    todo = row.todo
    occurrence = row.occurrence
    return Reminder(
        id=row.id,
        todo_id=row.todo_id,
        title=todo["title"],
        owner=joined(todo["owner"]["email"]),
        time_zone=_zone_of(todo["owner"]["time_zone"]),
        before_due=row.before_due,
        recurrence=joined(todo["recurrence"]) if todo["recurrence"] else None,
        state=ReminderState(row.state),
        version=row.version,
        occurrence=due_told(occurrence, due_of(row), todo["recurrence"]) if occurrence else None,
        alarm_at=row.alarm_at,
        is_moved=row.moved,
        has_alarm=row.state == ReminderState.WAITING and row.alarm_version == row.version,
        fired_occurrence=row.fired_occurrence,
        fired_at=row.fired_at,
    )


def firing_of(row: Row[Any]) -> Firing:
    """Make a firing of its row."""
    outcome = FiringOutcome(row.outcome)
    return Firing(row.id, row.occurrence, row.alarm_at, row.fired_at, outcome, row.sent_at is not None)


def due_of(row: Row[Any]) -> datetime | None:
    """The due time of a reminder's todo."""
    due = row.todo["due"]
    return datetime.fromisoformat(due) if due else None


def _zone_of(name: object) -> str:
    try:
        return zone_named(name).key
    except ValueError:
        return "UTC"
