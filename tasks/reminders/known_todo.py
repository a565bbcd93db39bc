"""What the events of a todo add up to, in whichever order they arrive. Pure.

How reminders stay in step with events in any order: an event does not set or cancel anything by itself. It
is added to what is known of its todo, and the reminders follow from the sum:

    event ──► learn ──► KnownTodo ──► plans ──► rows of reminders ──► alarms
              (here)    newest, opening,        (store: one transaction,
                        closing event            a new version for each change)

Of each todo three events are known: the newest, with the todo as it was then; the newest that opened it
(created); the newest that closed it (completed, deleted). Each is replaced only by a newer one, so the same
events give the same result in any order and however often they come. A late event that is older changes
nothing. A change of plan gives the reminder a new version; the alarm of an older version does nothing when
it comes, so alarms never need to be taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..events.models import TodoCompleted, TodoCreated, TodoDeleted, TodoEvent, TodoUpdated
from ..events.todos import Todo

_TIME = "%Y-%m-%dT%H:%M:%S.%f"
#: Among events at the same time, the higher rank is the newer one.
_RANKS = {TodoCreated: 0, TodoUpdated: 1, TodoCompleted: 2, TodoDeleted: 3}


@dataclass(frozen=True)
class KnownTodo:
    """What is known of a todo; the three events are stated as `order_of` writes them."""

    newest: str
    opening: str | None
    closing: str | None
    todo: dict[str, Any]

    @property
    def is_open(self) -> bool:
        """Whether it may have reminders. Completing or deleting a todo ends its whole series."""
        return self.closing is None or (self.opening is not None and self.opening > self.closing)

    @property
    def since(self) -> datetime:
        """When the newest event happened."""
        return datetime.strptime(self.newest[:26], _TIME).replace(tzinfo=UTC)


def order_of(event: TodoEvent) -> str:
    """A text that is greater for the newer of two events of a todo."""
    return f"{event.time.astimezone(UTC).strftime(_TIME)} {_RANKS.get(type(event), 0)} {event.event_id}"


def learn(known: KnownTodo | None, event: TodoEvent) -> KnownTodo:
    """Add an event to what is known of its todo."""
    order = order_of(event)
    todo = event.todo.model_dump(mode="json")
    if known is None:
        known = KnownTodo(order, None, None, todo)
    elif order > known.newest:
        known = replace(known, newest=order, todo=todo)
    if isinstance(event, TodoCreated):
        return replace(known, opening=max(order, known.opening or order))
    if isinstance(event, TodoCompleted | TodoDeleted):
        return replace(known, closing=max(order, known.closing or order))
    return known


def may_be_ignored(event: TodoEvent) -> bool:
    """Whether an event needs no row while nothing is known of its todo: it has and removes no reminders.

    A todo that never had reminders so costs no row. If an older event with reminders is still in flight,
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
