"""Deletes what guards against repeats, once nothing can come again that it guards against.

A delivery says that the mail of a notice is sent; what is known of a todo says that it is closed, whichever
of its events comes once more. An event comes again as long as the event log has it (30 days): Kafka forgets
the position of a group whose workers were away for a week, or an operator sets it back. Its effects that
became jobs come again for a day, and a mail waits for the end of quiet hours for a day. So a guard that has
not changed for longer than the log keeps its events, and some days, guards nothing: DELIVERY_KEPT_DAYS and
REMINDER_KEPT_DAYS. `todo-workers doctor` compares them with the log. Only a dead letter may be replayed
later than that, by hand.

The reminders of a todo go, all of them, when none has an alarm left and the last firing is forgotten. They
are kept for at least as long as deliveries: they would begin again at version 1, and a notice of one that was
moved by hand has an id that follows from the version. With them goes what is known of the todo, if it was
deleted or is open. Of a completed one it stays known that it is completed, for good: it may still be changed,
and such an event, which says nothing of completion, would set its reminders anew. So one short row is left of
each completed todo that had reminders, with neither its title nor its owner.

The audit trail is kept: `todo-workers audit archive` moves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Delete, bindparam, delete, exists, or_, select, tuple_

from .notifications.delivery_store import deliveries
from .reminders.known_todo_rows import change, known_in
from .reminders.outcomes import ReminderState
from .reminders.seen_events import LIKE_COMPLETION, TIME
from .reminders.tables import reminded_todos, reminder_firings, reminders
from .storage.database import Database
from .storage.portions import PORTION, Portions

_D = deliveries.c
_F = reminder_firings.c
_R = reminders.c
_T = reminded_todos.c

_OLD_DELIVERIES = (
    select(_D.id)
    .where(_D.created_at < bindparam("before"), _D.updated_at < bindparam("before"))
    .order_by(_D.created_at)
    .limit(PORTION)
    .with_for_update(skip_locked=True)
)
_FORGET_DELIVERIES = delete(deliveries).where(_D.id.in_(_OLD_DELIVERIES))
# One that is not sent yet stays, however old.
_OLD_FIRINGS = (
    select(_F.id)
    .where(_F.fired_at < bindparam("before"), _F.sent_at.is_not(None))
    .order_by(_F.fired_at)
    .limit(PORTION)
    .with_for_update(skip_locked=True)
)
_FORGET_FIRINGS = delete(reminder_firings).where(_F.id.in_(_OLD_FIRINGS))


@dataclass(frozen=True)
class Pruned:
    """How many rows were deleted of each table; of todos, also those of which little is left."""

    deliveries: int = 0
    firings: int = 0
    todos: int = 0

    def __bool__(self) -> bool:
        return self != Pruned()


def prune(
    database: Database, now: datetime, *, delivery_days: float, reminder_days: float, portions: Portions
) -> Pruned:
    """Delete what has not changed for so many days, as much as ``portions`` has time for.

    Raises DatabaseError; what was deleted before stays deleted.
    """
    old_deliveries = now - timedelta(days=delivery_days)
    old_firings = now - timedelta(days=reminder_days)
    forget_todos = _TodosToForget(database, min(old_deliveries, old_firings))
    return Pruned(
        deliveries=portions.do(partial(_forget, database, _FORGET_DELIVERIES, old_deliveries)),
        firings=portions.do(partial(_forget, database, _FORGET_FIRINGS, old_firings)),
        todos=portions.do(forget_todos.portion),
    )


def _forget(database: Database, statement: Delete, before: datetime) -> int:
    with database.writing() as connection:
        return connection.execute(statement, {"before": before}).rowcount


_IS_OLD = _T.newest_event < bindparam("before")
_HAS_REMINDER = exists().where(_R.todo_id == _T.todo_id)
_HAS_ALARM = _HAS_REMINDER.where(_R.state == ReminderState.WAITING)
# Not one of which there is only left that it is completed.
_CAN_BE_LESS = or_(
    _T.closing_event.is_(None),
    _T.closing_event != _T.newest_event,
    _T.closing_event.not_like(LIKE_COMPLETION),
    _T.opening_event.is_not(None),
    _HAS_REMINDER,
)
_PAGE = (
    select(_T.todo_id, _T.newest_event, _T.events)
    .where(_IS_OLD, tuple_(_T.newest_event, _T.todo_id) > tuple_(bindparam("event"), bindparam("todo")))
    .where(_CAN_BE_LESS, ~_HAS_ALARM)
    .order_by(_T.newest_event, _T.todo_id)
    .limit(PORTION)
)
# In order, as everybody locks them: two that do so in different orders would wait for each other for ever.
_LOCK_TODOS = (
    select(reminded_todos)
    .where(_T.todo_id.in_(bindparam("todos", expanding=True)), _IS_OLD)
    .order_by(_T.todo_id)
    .with_for_update(skip_locked=True)
)
_THEIR_REMINDERS = _R.todo_id.in_(bindparam("todos", expanding=True))
_LOCK_REMINDERS = select(reminders).where(_THEIR_REMINDERS).order_by(_R.id).with_for_update()
_FORGET_REMINDERS = delete(reminders).where(_THEIR_REMINDERS)
_FORGET_TODOS = delete(reminded_todos).where(_T.todo_id.in_(bindparam("todos", expanding=True)))


class _TodosToForget:
    """Goes through the todos whose newest event is old, once, in the order of those events."""

    def __init__(self, database: Database, before: datetime) -> None:
        self._database = database
        self._before = before.astimezone(UTC)
        self._last = {"event": "", "todo": ""}

    def portion(self) -> int:
        """Forget those of the next page that may be; of the next one in which there are some."""
        while page := self._page():
            self._last = {"event": page[-1].newest_event, "todo": page[-1].todo_id}
            if forgotten := self._forget([row.todo_id for row in page if self._was_written(row)]):
                return forgotten
        return 0

    def _page(self) -> Sequence[Any]:
        with self._database.reading() as connection:
            return connection.execute(_PAGE, self._last | {"before": self._text}).all()

    @property
    def _text(self) -> str:
        return self._before.strftime(TIME)

    def _was_written(self, row: Any) -> bool:
        """Whether the log got all events long ago, too: the clock of a publisher may be behind."""
        last_ms = max((event.get("written_ms", 0) for event in row.events or ()), default=0)
        return last_ms < self._before.timestamp() * 1000

    def _forget(self, todos: Sequence[str]) -> int:
        """Delete todos with their reminders, those left out that have changed since they were read.

        Of a completed one it stays known that it is.
        """
        if not todos:
            return 0
        with self._database.writing() as connection:
            locked = connection.execute(_LOCK_TODOS, {"todos": todos, "before": self._text})
            old = {row.todo_id: known_in(row) for row in locked}
            for row in connection.execute(_LOCK_REMINDERS, {"todos": list(old)}):
                fired_lately = row.fired_at is not None and row.fired_at >= self._before
                if fired_lately or row.state == ReminderState.WAITING:
                    old.pop(row.todo_id, None)
            completed = {todo_id: one.only_completion() for todo_id, one in old.items() if one.is_completed}
            connection.execute(_FORGET_REMINDERS, {"todos": list(old)})
            connection.execute(_FORGET_TODOS, {"todos": list(old.keys() - completed.keys())})
            change(connection, completed)
        return len(old)
