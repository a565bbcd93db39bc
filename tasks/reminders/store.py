"""The reminders in the database: every change is one transaction, safe against others at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, or_, select, update

from ..events.models import TodoEvent
from ..events.todos import Todo
from ..schedules.alarms import Alarm, Due, Plan, next_alarm, what_is_due
from ..storage.database import Database
from .firings import firing_id, notice_for
from .known_todo import Known, learn, may_be_ignored, todo_of
from .outcomes import Outcome, Policy, State
from .plans import plan_of, plans
from .tables import reminded_todos, reminder_firings, reminders

#: Reminders that are handled with one statement.
PAGE = 500

_R = reminders.c
_T = reminded_todos.c
_F = reminder_firings.c

# Built once: that costs more than what the database does with it.
_KNOWN = select(_T.todo_id).where(_T.todo_id == bindparam("todo"))


@dataclass(frozen=True)
class AlarmToSet:
    """An alarm to set: at ``at`` it fires the reminder, if that is still at ``version``."""

    reminder_id: str
    version: int
    at: datetime


@dataclass(frozen=True)
class Fired:
    """What came of an alarm. ``passed`` counts those before it that it stands for."""

    outcome: Outcome
    occurrence: datetime
    passed: int


class ReminderStore:
    """The reminders of one database; safe for use by many threads.

    Every method raises `DatabaseError` where the database did not do it; then nothing was changed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def sync(self, event: TodoEvent, now: datetime) -> list[AlarmToSet]:
        """Bring the reminders of the event's todo in step with it, and give the alarms to set.

        An event that is older than what is known, or known already, changes nothing; alarms that are not set
        are given again. An alarm whose time had passed when the event happened does not fire.

        Raises:
            InvalidRule: the recurrence cannot be followed.
        """
        if may_be_ignored(event) and not self._knows(event.todo.id):
            return []

        def follow(connection: Connection) -> list[AlarmToSet]:
            known = self._learn(connection, event)
            self._follow(connection, event.todo.id, plans(known), min(known.since, now))
            return _rings(connection, and_(_R.todo_id == event.todo.id, _not_set()))

        return self._database.write(follow)

    def fire(
        self, reminder_id: str, version: int, now: datetime, policy: Policy
    ) -> Fired | AlarmToSet | None:
        """Claim an alarm: note what fires, and put the reminder on its next alarm; both or neither.

        What is to be sent is in `unsent` then, and the next alarm in `rings_of`. Gives the alarm itself where
        it came before its time and must be set again; None where it is outdated, or was told before.

        Raises:
            InvalidRule: the next occurrence cannot be found.
        """
        with self._database.writing() as connection:
            row = _locked(connection, reminder_id)
            if row is None or row.version != version or row.state != State.WAITING:
                return None
            if row.alarm_at > now:
                return AlarmToSet(reminder_id, version, row.alarm_at)
            todo = todo_of(row.todo)
            alarm = Alarm(row.occurrence, row.alarm_at)
            due = what_is_due(plan_of(todo, row.before_due), alarm, now)
            moved = version if row.moved and due.latest == alarm else None
            outcome = policy.outcome(due.latest.at, now)
            firing = _firing(row.id, todo, due.latest, moved=moved, outcome=outcome, now=now)
            is_new = self._note_firing(connection, firing)
            _advance(connection, row, due, now if is_new and outcome is not Outcome.SKIPPED else None)
            return Fired(outcome, due.latest.occurrence, due.passed) if is_new else None

    def rings_of(self, reminder_id: str) -> list[AlarmToSet]:
        """Give the alarm of a reminder, where it is not set."""
        with self._database.reading() as connection:
            return _rings(connection, and_(_R.id == reminder_id, _not_set()))

    def rings_to_set(self, until: datetime, again_until: datetime, after_id: str) -> list[AlarmToSet]:
        """Give alarms to set, a page of them in the order of their ids, from after ``after_id`` on.

        Those are the alarms up to ``until`` that were never set, and all up to ``again_until``, as those that
        were set may have been lost.
        """
        wanted = or_(and_(_not_set(), _R.alarm_at <= until), _R.alarm_at <= again_until)
        with self._database.reading() as connection:
            return _rings(connection, and_(_R.state == State.WAITING, wanted, _R.id > after_id))

    def note_set(self, rings: Sequence[AlarmToSet]) -> None:
        """Note that Kafka has these alarms."""
        if not rings:
            return
        statement = (
            update(reminders)
            .where(_R.id == bindparam("reminder"), _R.version == bindparam("set_version"))
            .values(alarm_version=bindparam("set_version"))
        )
        rows = [{"reminder": ring.reminder_id, "set_version": ring.version} for ring in _in_order(rings)]
        self._database.write(lambda connection: connection.execute(statement, rows))

    def unsent(self, *, reminder_id: str | None = None, fired_until: datetime | None = None) -> list[Any]:
        """Give the notices of what fired and was not handed to the queue yet, the oldest first; one page."""
        wanted = select(_F.notice).where(_F.sent_at.is_(None)).order_by(_F.fired_at, _F.id).limit(PAGE)
        if reminder_id is not None:
            wanted = wanted.where(_F.reminder_id == reminder_id)
        if fired_until is not None:
            wanted = wanted.where(_F.fired_at <= fired_until)
        with self._database.reading() as connection:
            return list(connection.execute(wanted).scalars())

    def note_sent(self, firings: Sequence[str], now: datetime) -> None:
        """Note that the queue has the notices of these firings; what they said is not kept."""
        if not firings:
            return
        done = update(reminder_firings).where(_F.id.in_(firings)).values(sent_at=now, notice=None)
        with self._database.writing() as connection:
            connection.execute(done)

    def forget_firings(self, before: datetime) -> int:
        """Delete what fired, and was sent, before a time; gives how many."""
        old = delete(reminder_firings).where(_F.fired_at < before, _F.sent_at.is_not(None))
        with self._database.writing() as connection:
            return connection.execute(old).rowcount

    def _note_firing(self, connection: Connection, firing: dict[str, Any]) -> bool:
        """Add what fires; give False where it has fired before."""
        insert = self._database.insert(reminder_firings).values(firing)
        # SQLAlchemy forgets how many rows an insert added, unless told otherwise.
        added = insert.on_conflict_do_nothing(index_elements=["id"]).execution_options(preserve_rowcount=True)
        return connection.execute(added).rowcount == 1

    def _knows(self, todo_id: str) -> bool:
        with self._database.reading() as connection:
            return connection.execute(_KNOWN, {"todo": todo_id}).first() is not None

    def _learn(self, connection: Connection, event: TodoEvent) -> Known:
        """Keep what the event says of its todo; until the end of the transaction nobody else does."""
        first = learn(None, event)
        insert = self._database.insert(reminded_todos).values(_columns(event.todo.id, first))
        connection.execute(insert.on_conflict_do_nothing(index_elements=["todo_id"]))
        where = _T.todo_id == event.todo.id
        row = connection.execute(select(reminded_todos).where(where).with_for_update()).one()
        before = Known(row.newest_event, row.opening_event, row.closing_event, row.todo)
        known = learn(before, event)
        if known != before:
            connection.execute(update(reminded_todos).where(where).values(_columns(event.todo.id, known)))
        return known

    def _follow(self, connection: Connection, todo_id: str, wanted: dict[str, Plan], since: datetime) -> None:
        """Change the reminders whose plan is another than ``wanted`` has; new alarms are after ``since``."""
        rows = connection.execute(
            select(reminders).where(_R.todo_id == todo_id).order_by(_R.id).with_for_update()
        ).all()
        for row in rows:
            plan = wanted.get(row.id)
            if row.plan != (str(plan) if plan else None):
                connection.execute(
                    update(reminders).where(_R.id == row.id).values(_planned(plan, since, row.version))
                )
        for missing in sorted(wanted.keys() - {row.id for row in rows}):
            plan = wanted[missing]
            identity = {"id": missing, "todo_id": todo_id, "before_due": str(plan.offset), "alarm_version": 0}
            connection.execute(reminders.insert().values(identity | _planned(plan, since, 0)))


def _columns(todo_id: str, known: Known) -> dict[str, Any]:
    return {
        "todo_id": todo_id,
        "newest_event": known.newest,
        "opening_event": known.opening,
        "closing_event": known.closing,
        "todo": known.todo,
    }


def _planned(plan: Plan | None, since: datetime, version: int) -> dict[str, Any]:
    """What a reminder becomes that gets another plan, or none."""
    alarm = next_alarm(plan, since) if plan else None
    return {
        "plan": str(plan) if plan else None,
        "state": State.CANCELLED if plan is None else State.WAITING if alarm else State.DONE,
        "version": version + 1,
        "occurrence": alarm.occurrence if alarm else None,
        "alarm_at": alarm.at if alarm else None,
        "moved": False,
    }


def _firing(
    reminder_id: str, todo: Todo, alarm: Alarm, *, moved: int | None, outcome: Outcome, now: datetime
) -> dict[str, Any]:
    skipped = outcome is Outcome.SKIPPED
    firing = firing_id(reminder_id, alarm, moved)
    notice = notice_for(firing, todo, alarm, late=outcome is Outcome.LATE)
    return {
        "id": firing,
        "reminder_id": reminder_id,
        "occurrence": alarm.occurrence,
        "alarm_at": alarm.at,
        "fired_at": now,
        "outcome": outcome,
        "notice": None if skipped else notice.model_dump(mode="json"),
        "sent_at": now if skipped else None,
    }


def _advance(connection: Connection, row: Row[Any], due: Due, told_at: datetime | None) -> None:
    following = due.following
    values: dict[str, Any] = {
        "state": State.WAITING if following else State.DONE,
        "version": row.version + 1,
        "occurrence": following.occurrence if following else None,
        "alarm_at": following.at if following else None,
        "moved": False,
    }
    if told_at is not None:
        values |= {"fired_occurrence": due.latest.occurrence, "fired_at": told_at}
    connection.execute(update(reminders).where(_R.id == row.id).values(values))


def _locked(connection: Connection, reminder_id: str) -> Row[Any] | None:
    """A reminder with its todo; until the end of the transaction nobody else changes the reminder."""
    both = select(reminders, _T.todo).join(reminded_todos, _T.todo_id == _R.todo_id)
    return connection.execute(both.where(_R.id == reminder_id).with_for_update(of=reminders)).first()


def _not_set() -> Any:
    return and_(_R.state == State.WAITING, _R.alarm_version < _R.version)


def _rings(connection: Connection, wanted: Any) -> list[AlarmToSet]:
    found = select(_R.id, _R.version, _R.alarm_at).where(wanted).order_by(_R.id).limit(PAGE)
    return [AlarmToSet(row.id, row.version, row.alarm_at) for row in connection.execute(found)]


def _in_order(rings: Sequence[AlarmToSet]) -> list[AlarmToSet]:
    # Two transactions that lock rows in different orders would wait for each other for ever.
    return sorted(rings, key=lambda ring: ring.reminder_id)
