"""What events say about the reminders of a todo, in whichever order they come. Pure.

Of each todo three things are known: the newest event, with the todo as it was then; the newest that opened it
(created); the newest that closed it (completed, deleted). Each is replaced by a newer one only, so the same
events give the same result in any order and however often they come.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..events.models import TodoCompleted, TodoCreated, TodoDeleted, TodoEvent, TodoUpdated
from ..events.todos import Todo

_TIME = "%Y-%m-%dT%H:%M:%S.%f"
#: Of events at the same time, which is the newer one.
_RANKS = {TodoCreated: 0, TodoUpdated: 1, TodoCompleted: 2, TodoDeleted: 3}


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


def todo_of(data: dict[str, Any]) -> Todo:
    """Read a todo that was kept. Raises pydantic's ValidationError."""
    return Todo.model_validate(data)
