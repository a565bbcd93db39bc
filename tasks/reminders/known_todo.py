"""Combines the events of a todo, in whichever order they are handled, into what is known of it. Pure.

How reminders stay in step with events in any order: an event does not set or cancel anything by itself. It
is added to what is known of its todo, and the reminders follow from the sum::

    event ──► learn ──► KnownTodo ──► plans ──► rows of reminders ──► alarms
              (here)    all events,             (store: one transaction,
                        in order                a new version for each change)

All events of a todo are remembered, in the order of `seen_events`. Three of them decide: the newest, with the
todo as it is; the newest that opened it (created); the newest that closed it (completed, deleted). So the
same events give the same result in any order and however often they come, and a late event that is older
changes nothing. A change of plan gives the reminder a new version; the alarm of an older version does
nothing when it comes, so alarms never need to be taken back.

A series keeps its time of day when its owner moves to another zone: 09:00 in Berlin becomes 09:00 in Tokyo,
unless the due time is changed as well. A due time without recurrence is a moment, and stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..events.models import TodoCompleted, TodoDeleted, TodoEvent, TodoUpdated
from ..events.todos import Todo
from ..schedules.zones import zone_named
from .seen_events import SeenEvent, in_order


@dataclass(frozen=True)
class KnownTodo:
    """The known events of a todo, the newest last."""

    events: tuple[SeenEvent, ...]

    @property
    def newest(self) -> SeenEvent:
        return self.events[-1]

    @property
    def opening(self) -> SeenEvent | None:
        """The newest event that opened it."""
        return next((event for event in reversed(self.events) if event.is_opening), None)

    @property
    def closing(self) -> SeenEvent | None:
        """The newest event that closed it."""
        return next((event for event in reversed(self.events) if event.is_closing), None)

    @property
    def is_open(self) -> bool:
        """Whether it may have reminders. Completing or deleting a todo ends its whole series."""
        deciding = [event for event in self.events if event.is_opening or event.is_closing]
        return not deciding or deciding[-1].is_opening

    @property
    def is_completed(self) -> bool:
        """Whether it is closed, and still there: events about it may follow, however much later."""
        return not self.is_open and self.closing is not None and self.closing.is_completion

    @property
    def since(self) -> datetime:
        """When the newest event happened, by the latest clock."""
        return datetime.fromisoformat(max(event.time for event in self.events)).replace(tzinfo=UTC)

    @property
    def todo(self) -> dict[str, Any]:
        """The todo as it is now; the due time of a series is where it is on its owner's present clock."""
        told = [event for event in self.events if event.todo is not None]
        # Events that close a todo cancel its reminders, whatever else they say of it.
        last = next((event for event in reversed(told) if not event.is_closing), told[-1])
        todo = last.todo
        assert todo is not None
        if todo["recurrence"] and todo["due"]:
            zone = self._due_zone(last)
            if zone != last.zone:
                return todo | {"due": _on_the_same_clock(todo["due"], zone, last.zone)}
        return todo

    def only_completion(self) -> KnownTodo:
        """As little of a completed todo as keeps it closed: what completed it, without what it is about."""
        last = self.closing
        assert last is not None
        owner = {"time_zone": last.zone}
        unplanned: dict[str, Any] = {"due": None, "recurrence": None, "reminders": [], "owner": owner}
        return KnownTodo((replace(last, due_zone=self._due_zone(last), todo=unplanned),))

    def _due_zone(self, at: SeenEvent) -> str | None:
        """The zone that the due time of an event's todo was set in: that of the first event that had it."""
        zone = before = None
        for event in self.events:
            if event.due != before:
                zone, before = event.due_zone or event.zone, event.due
            if event is at:
                break
        return zone


def learn(known: KnownTodo | None, event: TodoEvent) -> KnownTodo:
    """Add an event to what is known of its todo."""
    return KnownTodo(in_order([*(known.events if known else ()), SeenEvent.of(event)]))


def may_be_ignored(event: TodoEvent) -> bool:
    """Whether an event needs no row while nothing is known of its todo: it has and removes no reminders.

    So a todo that never had reminders costs no row. If an older event with reminders is still in flight,
    this event repeats its reminders or says that they were removed, and is not ignored.
    """
    removed = isinstance(event, TodoUpdated) and "reminders" in event.changes
    return not event.todo.reminders and not removed


def may_set_reminders(event: TodoEvent) -> bool:
    """Whether reminders may have to be set as this event has them; else it can only cancel some."""
    is_closing = isinstance(event, TodoCompleted | TodoDeleted)
    return bool(event.todo.reminders) and event.todo.due is not None and not is_closing


def todo_of(data: dict[str, Any]) -> Todo:
    """Read a todo that was stored. Raises pydantic's ValidationError."""
    return Todo.model_validate(data)


def _on_the_same_clock(due: str, zone: str | None, now_zone: str | None) -> str:
    """The time at which clocks in the new zone show what clocks in ``zone`` show at ``due``."""
    try:
        wall = datetime.fromisoformat(due).astimezone(zone_named(zone or "UTC"))
        moved = wall.replace(tzinfo=zone_named(now_zone or "UTC"))
    except ValueError:
        return due  # a zone that does not exist: such an event sets no reminder
    return moved.astimezone(UTC).isoformat()
