"""Keeps reminders in step: the database first, then the alarms and notices that follow from it.

A crash between the two leaves work that the next try of the job, or `reconcile`, finds and completes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..events.models import TodoEvent
from ..notifications.notice import InvalidNotice, Notice, parse_notice
from ..schedules.early import again_at
from .outcomes import AlarmToSet, LatePolicy
from .store import Fired, ReminderStore

#: The job that claimed an alarm has this long to send its notice, before `reconcile` sends it.
_SENDING_TIME = timedelta(minutes=1)


@dataclass(frozen=True)
class Reconciled:
    """How many alarms were set, and how many notices were sent."""

    alarms: int
    notices: int


class ReminderKeeper:
    """Keeps the reminders, their alarms and their notices together; safe for use by many threads.

    ``set_alarms`` and ``send_notices`` return once their work is durable, and may do the same work again. An
    alarm further away than ``max_delay`` is set by a later `reconcile`. ``horizon`` is how far ahead
    `reconcile` sets alarms even if they were set before, as Kafka may have lost them.
    """

    def __init__(
        self,
        store: ReminderStore,
        *,
        set_alarms: Callable[[Sequence[AlarmToSet]], None],
        send_notices: Callable[[Sequence[Notice]], None],
        policy: LatePolicy,
        max_delay: timedelta,
        horizon: timedelta,
    ) -> None:
        self._store = store
        self._set_alarms = set_alarms
        self._send_notices = send_notices
        self._policy = policy
        self._max_delay = max_delay
        self._horizon = horizon

    def sync(self, event: TodoEvent, now: datetime) -> Sequence[AlarmToSet]:
        """Bring the reminders of the event's todo in step with it; returns the alarms that were set.

        Raises DatabaseError, InvalidRule.
        """
        return self.set_alarms(self._store.sync(event, now), now)

    def fire(self, reminder_id: str, version: int, now: datetime) -> Fired | None:
        """Do an alarm's work; returns None if there was none. Raises DatabaseError, InvalidRule."""
        fired = self._store.fire(reminder_id, version, now, self._policy)
        if isinstance(fired, AlarmToSet):
            self._set_alarms([replace(fired, at=again_at(fired.at, now))])
            return None
        # Also if the alarm was outdated: this may be the second try, after a crash between claim and sending.
        self._send(self._store.unsent(reminder_id=reminder_id), now)
        self.set_alarms(self._store.alarm_of(reminder_id), now)
        return fired

    def reconcile(self, now: datetime) -> Reconciled:
        """Set the alarms and send the notices that are missing.

        Raises DatabaseError; raises InvalidNotice after all other notices were sent.
        """
        count, last = 0, ""
        while alarms := self._store.alarms_to_set(now + self._max_delay, now + self._horizon, last):
            self.set_alarms(alarms, now)
            count, last = count + len(alarms), alarms[-1].reminder_id
        notices = 0
        while page := self._store.unsent(fired_until=now - _SENDING_TIME):
            self._send(page, now)
            notices += len(page)
        return Reconciled(count, notices)

    def set_alarms(self, alarms: Sequence[AlarmToSet], now: datetime) -> Sequence[AlarmToSet]:
        """Set the alarms that are near enough, record that they are set, and return them."""
        near = [alarm for alarm in alarms if alarm.at <= now + self._max_delay]
        if near:
            self._set_alarms(near)
            self._store.note_set(near)
        return near

    def _send(self, notices: Sequence[object], now: datetime) -> None:
        valid: list[Notice] = []
        invalid: list[InvalidNotice] = []
        for notice in notices:
            try:
                valid.append(parse_notice(notice))
            except InvalidNotice as exc:
                invalid.append(exc)
        if valid:
            self._send_notices(valid)
            self._store.note_sent([str(notice.id) for notice in valid], now)
        if invalid:
            raise invalid[0]
