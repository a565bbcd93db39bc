"""Reminders in a database, with nobody around: alarms and notices are only kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from tasks.events.models import TodoEvent
from tasks.notifications.notice import Notice
from tasks.reminders.keeper import ReminderKeeper
from tasks.reminders.outcomes import AlarmToSet, LatePolicy, ReminderState
from tasks.reminders.store import ReminderStore
from tasks.reminders.tables import reminder_firings, reminders
from tasks.storage.database import Database
from tests.helpers.samples import a_todo, an_event

BERLIN = ZoneInfo("Europe/Berlin")
MAX_DELAY = timedelta(days=200)
HORIZON = timedelta(hours=2)
IN_TIME = LatePolicy(skips=False, grace_s=900)
SKIPS = LatePolicy(skips=True, grace_s=900)


def at(text: str) -> datetime:
    """A time on Berlin's clock, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


NOW = at("2026-06-01 12:00")
DUE = at("2026-06-05 17:00")


class Crash(Exception):
    """The worker dies here."""


class World:
    """Reminders in a database; alarms and notices go nowhere, but are kept."""

    def __init__(self, database: Database, policy: LatePolicy = IN_TIME) -> None:
        self.database = database
        self.store = ReminderStore(database)
        self.alarms_set: list[AlarmToSet] = []
        self.notices_sent: list[Notice] = []
        self.crash_at: str | None = None
        self.keeper = ReminderKeeper(
            self.store,
            set_alarms=self._set_alarms,
            send_notices=self._send_notices,
            policy=policy,
            max_delay=MAX_DELAY,
            horizon=HORIZON,
        )

    def _set_alarms(self, alarms: Sequence[AlarmToSet]) -> None:
        if self.crash_at == "set_alarms":
            raise Crash
        self.alarms_set += alarms

    def _send_notices(self, notices: Sequence[Notice]) -> None:
        if self.crash_at == "send_notices":
            raise Crash
        self.notices_sent += notices

    def sync(self, *events: TodoEvent, now: datetime = NOW) -> None:
        for event in events:
            self.keeper.sync(event, now)

    def all_rows(self) -> list[Any]:
        with self.database.reading() as connection:
            return list(connection.execute(select(reminders)))

    def rows(self) -> dict[str, Any]:
        """The reminders of the one todo, by their offsets."""
        return {row.before_due: row for row in self.all_rows()}

    def row(self, offset: str = "-1h") -> Any:
        return self.rows()[offset]

    def waiting(self) -> dict[str, datetime]:
        return {
            offset: row.alarm_at for offset, row in self.rows().items() if row.state == ReminderState.WAITING
        }

    def firings(self) -> list[Any]:
        with self.database.reading() as connection:
            return list(connection.execute(select(reminder_firings).order_by(reminder_firings.c.fired_at)))

    def fire(self, now: datetime, offset: str = "-1h", version: int | None = None) -> Any:
        row = self.row(offset)
        return self.keeper.fire(row.id, version or row.version, now)


def event(kind: str = "todo.created", *, time: datetime = NOW, **todo: Any) -> TodoEvent:
    given: dict[str, Any] = {"due": DUE, "reminders": ["-1d", "-1h"]}
    more = {"changes": {"title": {"before": "x", "after": "y"}}} if kind == "todo.updated" else {}
    return an_event(kind, time=time, todo=a_todo(**given | todo), **more)


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)
