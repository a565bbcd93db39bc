"""Lets an operator look up reminders, cancel them, set them to another time, or put them off."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from workers.dead_letters.filter import require_id
from workers.display.spelling import near
from workers.errors import WorkersError

from ..storage.database import Database
from .outcomes import AlarmToSet, ReminderState
from .reminder import Firing, Reminder, due_of, firing_of, reminder_of
from .tables import OWNER, reminded_todos, reminder_firings, reminders

logger = logging.getLogger(__name__)

_R = reminders.c
_T = reminded_todos.c
_F = reminder_firings.c

#: How many similar ids an error names.
_NEAR = 3
#: Among how many ids the similar ones are searched.
_SEARCHED = 10_000


class NoSuchReminder(WorkersError):
    """There is no such reminder, or more than one."""


class NotPossible(WorkersError):
    """The reminder is not in a state for that."""


class RemindersByHand:
    """The reminders of one database. Every method raises DatabaseError if the database fails."""

    def __init__(
        self,
        database: Database,
        *,
        owner: str | None = None,
        write_down: Callable[[str, Mapping[str, Any]], object] = lambda *_: None,
    ) -> None:
        """With ``owner``, an e-mail address in any case, there are only the reminders of that person.

        ``write_down`` is told what is done, and to what, before it is; if it raises, that is not done. It is
        told as well if that fails then. No transaction is open meanwhile: it may take long.
        """
        self._database = database
        self._owner = owner
        self._write_down = write_down

    def find(
        self,
        *,
        todo_id: str | None = None,
        owner: str | None = None,
        state: ReminderState | None = None,
        limit: int,
    ) -> tuple[list[Reminder], int]:
        """The matching reminders that fire first, and how many match.

        ``owner`` is an e-mail address, in any case.
        """
        wanted = self._both(owner)
        if todo_id is not None:
            wanted = wanted.where(_R.todo_id == todo_id)
        if state is not None:
            wanted = wanted.where(_R.state == state)
        order = (_R.alarm_at.is_(None), _R.alarm_at, _R.todo_id, _R.id)
        with self._database.reading() as connection:
            total = connection.execute(select(func.count()).select_from(wanted.subquery())).scalar_one()
            found = connection.execute(wanted.order_by(*order).limit(limit))
            return [reminder_of(row) for row in found], total

    def one(self, beginning: str) -> Reminder:
        """The reminder whose id begins with ``beginning``. Raises NoSuchReminder, which names similar ids."""
        return reminder_of(self._seen(beginning))

    def history(self, reminder_id: str, limit: int = 20) -> list[Firing]:
        """The firings of a reminder, the last one first."""
        wanted = select(reminder_firings).where(_F.reminder_id == reminder_id)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(_F.fired_at.desc()).limit(limit)).all()
        return [firing_of(row) for row in rows]

    def cancel(self, beginning: str) -> Reminder:
        """Call off a reminder with its whole series; a change of the due time sets it again.

        Raises NoSuchReminder, or NotPossible if it has no alarm left.
        """
        row = self._seen(beginning)
        if row.state == ReminderState.DONE:
            raise NotPossible(f"Reminder {row.id} has no alarm left to cancel")
        values = {"state": ReminderState.CANCELLED, "occurrence": None, "alarm_at": None, "moved": False}
        return self._change(row, "cancel reminder", {}, values)

    def reschedule(self, beginning: str, at: datetime, now: datetime) -> tuple[Reminder, AlarmToSet]:
        """Let a reminder fire at another time, once; a series then goes on. Returns the alarm to set.

        Raises NoSuchReminder, or NotPossible if the time has passed or the todo has no such reminder now.
        """
        if at <= now:
            raise NotPossible(f"{at.isoformat(timespec='minutes')} has passed; nothing was changed")
        row = self._seen(beginning)
        return self._move(row, _pending(row), at, "reschedule reminder")

    def snooze(self, beginning: str, length: timedelta, now: datetime) -> tuple[Reminder, AlarmToSet]:
        """Put a reminder off until ``length`` from now; returns the alarm to set.

        An alarm that is due until then fires then instead. If there is none, the last one that fired fires
        again.

        Raises NoSuchReminder, or NotPossible if the reminder has neither.
        """
        until = now + length
        row = self._seen(beginning)
        occurrence: datetime | None = _pending(row)
        if row.state != ReminderState.WAITING or row.alarm_at > until:
            occurrence = row.fired_occurrence
        if occurrence is None or row.state == ReminderState.CANCELLED:
            raise NotPossible(
                f"Reminder {row.id} has not fired and is not due until then: reschedule it instead"
            )
        return self._move(row, occurrence, until, "snooze reminder")

    def _move(
        self, row: Row[Any], occurrence: datetime, at: datetime, did: str
    ) -> tuple[Reminder, AlarmToSet]:
        values = {"state": ReminderState.WAITING, "occurrence": occurrence, "alarm_at": at, "moved": True}
        moved = self._change(row, did, {"until": at.isoformat(timespec="seconds")}, values)
        return moved, AlarmToSet(moved.id, moved.version, at)

    def _change(
        self, seen: Row[Any], did: str, more: Mapping[str, Any], values: Mapping[str, Any]
    ) -> Reminder:
        """Write down what is done to a reminder and do it, unless it has changed since it was ``seen``."""
        about = {"reminder": seen.id, "todo": seen.todo_id, **more}
        # Outside of any transaction: Kafka may be slow, and SQLite has one writer at a time.
        self._write_down(did, about)
        try:
            return self._set(seen, values)
        except Exception as exc:
            self._write_failure(f"{did}: failed", {**about, "why": str(exc)})
            raise

    def _set(self, seen: Row[Any], values: Mapping[str, Any]) -> Reminder:
        with self._database.writing() as connection:
            row = self._row(connection, seen.id, lock=True)
            if row.version != seen.version:
                raise NotPossible(f"Reminder {row.id} has changed meanwhile: look at it again")
            changed = update(reminders).where(_R.id == row.id)
            connection.execute(changed.values(version=row.version + 1, **values))
            return reminder_of(self._row(connection, row.id))

    def _write_failure(self, did: str, about: Mapping[str, Any]) -> None:
        try:
            self._write_down(did, about)
        except WorkersError as exc:
            logger.warning("reminder.failure_not_in_log did=%s about=%s: %s", did, about, exc)

    def _seen(self, beginning: str) -> Row[Any]:
        with self._database.reading() as connection:
            return self._row(connection, beginning)

    def _row(self, connection: Connection, beginning: str, *, lock: bool = False) -> Row[Any]:
        require_id(beginning)
        wanted = self._both().where(_R.id.startswith(beginning, autoescape=True)).limit(_NEAR)
        rows = connection.execute(wanted.with_for_update(of=reminders) if lock else wanted).all()
        if len(rows) == 1:
            return rows[0]
        if rows:
            ids = ", ".join(row.id for row in rows)
            raise NoSuchReminder(f"More than one reminder begins with {beginning!r}: {ids}")
        ids_only = self._both().with_only_columns(_R.id, maintain_column_froms=True)
        known = connection.execute(ids_only.order_by(_R.id).limit(_SEARCHED)).scalars().all()
        found = near(beginning, known, at_most=_NEAR, cutoff=0.5)
        where = "" if self._owner else "; todo-workers reminders list shows them"
        hint = f"; near ones: {', '.join(found)}" if found else where
        raise NoSuchReminder(f"No reminder has the id {beginning}{hint}")

    def _both(self, owner: str | None = None) -> Any:
        """Select reminders with their todos, of ``owner``, and of the owner that this object is for."""
        wanted = select(reminders, _T.todo).join(reminded_todos, _T.todo_id == _R.todo_id)
        for one in (owner, self._owner):
            if one is not None:
                wanted = wanted.where(OWNER.is_of(one))
        return wanted


def alarm_left(set_alarm: Callable[[AlarmToSet], object], alarm: AlarmToSet) -> str | None:
    """Set the alarm of a reminder that was changed; if that fails, return why.

    The database has the change: workers set the alarm when they look for those that are missing.
    """
    try:
        set_alarm(alarm)
    except WorkersError as exc:
        logger.warning("reminder.alarm_left reminder_id=%s: %s", alarm.reminder_id, exc)
        return str(exc)
    return None


def _pending(row: Row[Any]) -> datetime:
    """The occurrence that a reminder is set for, or was set for last."""
    due: datetime | None = row.occurrence or row.fired_occurrence or due_of(row)
    if row.plan is None or due is None:
        raise NotPossible(
            f"Reminder {row.id} is called off: its todo {row.todo_id} is closed, or has it no longer"
        )
    return due
