"""What is done about reminders: the database first, then the alarms and the notices that follow from it.

A crash between the two leaves what the next try of the job, or `reconcile`, finds and completes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..events.models import TodoEvent
from ..notifications.notice import InvalidNotice, Notice, parse_notice
from .outcomes import Policy
from .store import AlarmToSet, Fired, ReminderStore

#: What fired is given that long to be sent by the job that claimed it, before `reconcile` sends it.
_SENDING_TIME = timedelta(minutes=1)
#: What fired is kept that long, to be looked at.
_KEPT = timedelta(days=90)


@dataclass(frozen=True)
class Reconciled:
    """How many alarms were set, and how many notices sent."""

    alarms: int
    notices: int


class ReminderKeeping:
    """Keeps the reminders, their alarms and their notices together; safe for use by many threads.

    ``ring`` sets alarms and ``tell`` sends notices; both return when that is durable, and may do the same
    again. An alarm that is further away than ``max_delay`` is set by `reconcile` when it has come nearer;
    ``horizon`` is how far ahead `reconcile` sets alarms whether they were set before or not.
    """

    def __init__(
        self,
        store: ReminderStore,
        *,
        ring: Callable[[Sequence[AlarmToSet]], None],
        tell: Callable[[Sequence[Notice]], None],
        policy: Policy,
        max_delay: timedelta,
        horizon: timedelta,
    ) -> None:
        self._store = store
        self._ring = ring
        self._tell = tell
        self._policy = policy
        self._max_delay = max_delay
        self._horizon = horizon

    def sync(self, event: TodoEvent, now: datetime) -> None:
        """Bring the reminders of the event's todo in step with it. Raises DatabaseError, InvalidRule."""
        self.set_alarms(self._store.sync(event, now), now)

    def fire(self, reminder_id: str, version: int, now: datetime) -> Fired | None:
        """Do what an alarm is for; None where there was nothing to do. Raises DatabaseError, InvalidRule."""
        fired = self._store.fire(reminder_id, version, now, self._policy)
        if isinstance(fired, AlarmToSet):
            self._ring([fired])
            return None
        # Also where the alarm was outdated: it may be a second try, after a crash between claim and sending.
        self._send(self._store.unsent(reminder_id=reminder_id), now)
        self.set_alarms(self._store.rings_of(reminder_id), now)
        return fired

    def reconcile(self, now: datetime) -> Reconciled:
        """Set the alarms and send the notices that are missing.

        Raises DatabaseError, and InvalidNotice after all others were sent.
        """
        alarms, last = 0, ""
        while rings := self._store.rings_to_set(now + self._max_delay, now + self._horizon, last):
            self.set_alarms(rings, now)
            alarms, last = alarms + len(rings), rings[-1].reminder_id
        notices = 0
        while page := self._store.unsent(fired_until=now - _SENDING_TIME):
            self._send(page, now)
            notices += len(page)
        self._store.forget_firings(now - _KEPT)
        return Reconciled(alarms, notices)

    def set_alarms(self, rings: Sequence[AlarmToSet], now: datetime) -> None:
        """Set the alarms that are near enough, and note that they are."""
        near = [ring for ring in rings if ring.at <= now + self._max_delay]
        if near:
            self._ring(near)
            self._store.note_set(near)

    def _send(self, notices: Sequence[object], now: datetime) -> None:
        valid: list[Notice] = []
        invalid: list[InvalidNotice] = []
        for notice in notices:
            try:
                valid.append(parse_notice(notice))
            except InvalidNotice as exc:
                invalid.append(exc)
        if valid:
            self._tell(valid)
            self._store.note_sent([str(notice.id) for notice in valid], now)
        if invalid:
            raise invalid[0]
