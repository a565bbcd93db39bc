"""Gathers the story of an event: from the audit trail, the deliveries, the reminders, and Kafka."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Row as SqlRow

from ..actors.event_jobs import job_id
from ..actors.events import EFFECT_ACTORS
from ..actors.notifications import send_notification
from ..actors.reminders import alarm_job
from ..audit.reading import AuditFilter, Row, newest, todo_in
from ..notifications.delivery_store import DeliveryState, DeliveryStore
from ..reminders.by_hand import RemindersByHand
from ..reminders.outcomes import AlarmToSet
from ..reminders.reminder import Reminder
from ..storage.database import Database
from .story import Jobs, Mail, RemindedOf, Story

#: How many reminders of a todo, and how many of the last firings of each, are told.
_MOST_REMINDERS = 20
_MOST_FIRINGS = 20

#: Finds the jobs that are not done, by their ids; see `JobSearch.find`.
FindJobs = Callable[[Collection[str]], Jobs]


class Stories:
    """Tells stories from one database. Any thread may use it; it blocks."""

    def __init__(self, database: Database, find_jobs: FindJobs) -> None:
        self._database = database
        self._deliveries = DeliveryStore(database)
        self._find_jobs = find_jobs

    def row_of(self, event_id: UUID) -> Row | None:
        """The audit row of an event: who asks may not see more. Raises DatabaseError."""
        return next(newest(self._database, AuditFilter(event_id=str(event_id)), 1), None)

    def tell(self, event_id: UUID, row: Row | None, *, reminders_of: str | None = None) -> Story:
        """Tell the story of an event whose audit row is ``row``. Raises DatabaseError.

        With ``reminders_of``, an e-mail address in any case, there are only the reminders of that person: a
        todo may have another owner by now.
        """
        mail = self._mail(job_id(event_id, send_notification))
        todo = todo_in(row) if row is not None else None
        kept = RemindersByHand(self._database, owner=reminders_of)
        reminders = (
            [] if row is None or todo is None else self._reminded_of(kept, str(row["todo_id"]), row["time"])
        )
        jobs = self._find_jobs(set(_job_ids(event_id, mail, reminders)))
        return Story(str(event_id), row, mail, reminders, jobs)

    def _reminded_of(self, kept: RemindersByHand, todo_id: str, since: datetime) -> list[RemindedOf]:
        found, _ = kept.find(todo_id=todo_id, limit=_MOST_REMINDERS)
        return [self._reminded(kept, one, since) for one in found]

    def _reminded(self, kept: RemindersByHand, reminder: Reminder, since: datetime) -> RemindedOf:
        history = kept.history(reminder.id, _MOST_FIRINGS)
        firings = [firing for firing in history if firing.fired_at >= since]
        mails = [mail for firing in firings if (mail := self._mail(UUID(firing.id)))]
        return RemindedOf(reminder, firings, mails)

    def _mail(self, notice_id: UUID) -> Mail | None:
        found = self._deliveries.find(notice_id)
        return None if found is None else _mail_of(found)


def _mail_of(row: SqlRow[Any]) -> Mail:
    until = row.until if row.state == DeliveryState.POSTPONED else None
    return Mail(row.id, row.kind, row.state, row.attempts, until, row.error, row.created_at, row.updated_at)


def _job_ids(event_id: UUID, mail: Mail | None, reminders: Sequence[RemindedOf]) -> Iterator[str]:
    """The ids of all jobs that the event may have caused."""
    yield str(event_id)
    for actor in EFFECT_ACTORS.values():
        yield str(job_id(event_id, actor))
    mails = [*([mail] if mail else []), *(one for reminded in reminders for one in reminded.mails)]
    for one in mails:
        if one.until is not None:
            yield str(uuid5(UUID(one.notice_id), one.until.isoformat()))
    for reminded in reminders:
        reminder = reminded.reminder
        yield from (firing.id for firing in reminded.firings)
        if reminder.alarm_at is not None:
            yield alarm_job(AlarmToSet(reminder.id, reminder.version, reminder.alarm_at)).message_id
