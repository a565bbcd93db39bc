"""Stores the reminders: each change is one transaction, safe against other workers at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, or_, select, update

from workers.measures.metrics import Histogram

from ..events.models import TodoEvent
from ..events.todos import Todo
from ..schedules.alarms import Alarm, Due, what_is_due
from ..storage.database import Database
from ..storage.prepared import Prepared
from .firings import due_told, firing_id, notice_for
from .known_todo import may_be_ignored, todo_of
from .known_todo_rows import KnownTodoRows
from .outcomes import AlarmToSet, FiringOutcome, LatePolicy, ReminderState
from .plans import plan_of
from .sync import on_alarm, sync_all
from .tables import reminded_todos, reminder_firings, reminders

#: How many reminders one statement handles.
PAGE = 500

_LATE = Histogram("reminders_late_seconds", "From the time of a reminder to when its mail is made.")

_R = reminders.c
_T = reminded_todos.c
_F = reminder_firings.c

# Built once: that costs more than what the database does with it.
_NOTE_SET = Prepared(
    update(reminders)
    .where(_R.id == bindparam("reminder"), _R.version == bindparam("set_version"))
    .values(alarm_version=bindparam("set_version"))
)


@dataclass(frozen=True)
class Fired:
    """An alarm that fired. ``passed`` counts the missed alarms before it that it stands for.

    ``id`` is the firing's, and that of its notice; ``owner`` is the address of the todo's owner.
    """

    outcome: FiringOutcome
    occurrence: datetime
    passed: int
    id: str
    todo_id: str
    owner: str


class ReminderStore:
    """The reminders of one database; safe for use by many threads.

    Every method raises `DatabaseError` if the database fails; then nothing was changed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = KnownTodoRows(database)

    def sync(self, event: TodoEvent, now: datetime) -> list[AlarmToSet]:
        """Bring the reminders of the event's todo in step with it; return the alarms to set.

        An event that is known already, or older than what is known, changes nothing; alarms that are not set
        yet are returned again. An alarm whose time had passed when the event happened does not fire.

        Raises:
            InvalidRule: the recurrence cannot be followed.
        """
        if may_be_ignored(event):
            with self._database.reading() as connection:
                if not self._known.known_among(connection, [event.todo.id]):
                    return []
        return self._database.write(lambda connection: self.sync_all(connection, [event], now)[0])

    def sync_all(
        self, connection: Connection, events: Sequence[TodoEvent], now: datetime
    ) -> list[list[AlarmToSet]]:
        """As `sync`, for many events in the transaction of ``connection``: the alarms of each of them."""
        return sync_all(self._known, connection, events, now)

    def fire(
        self, reminder_id: str, version: int, now: datetime, policy: LatePolicy
    ) -> Fired | AlarmToSet | None:
        """Claim an alarm: store its firing, and move the reminder to its next alarm; both or neither.

        Afterwards `unsent` has the notice to send and `alarm_of` the next alarm. Returns the alarm itself if
        it came before its time and must be set again; None if it is outdated or has fired before.

        Raises:
            InvalidRule: the next occurrence cannot be found.
        """
        with self._database.writing() as connection:
            row = _locked(connection, reminder_id)
            if row is None or row.version != version or row.state != ReminderState.WAITING:
                return None
            if row.alarm_at > now:
                return AlarmToSet(reminder_id, version, row.alarm_at)
            todo = todo_of(row.todo)
            alarm = Alarm(row.occurrence, row.alarm_at)
            due = what_is_due(plan_of(todo, row.before_due), alarm, now)
            moved = version if row.moved and due.latest == alarm else None
            # One that was put off beyond others of its series is on time when it was put off to.
            told = due_told(due.latest.occurrence, todo.due, todo.recurrence)
            latest = Alarm(told, at=max(due.latest.at, row.alarm_at))
            outcome = policy.outcome(latest.at, now)
            firing = _firing(row.id, todo, latest, moved=moved, outcome=outcome, now=now)
            is_new = self._note_firing(connection, firing)
            _advance(connection, row, due, now if is_new and outcome is not FiringOutcome.SKIPPED else None)
            if not is_new:
                return None
            whose = (firing["id"], todo.id, todo.owner.email)
            fired = Fired(outcome, latest.occurrence, due.passed, *whose)
        _LATE.observe((now - latest.at).total_seconds())
        return fired

    def alarm_of(self, reminder_id: str) -> list[AlarmToSet]:
        """The alarm of a reminder, if it has one that is not set yet."""
        with self._database.reading() as connection:
            return _alarms(connection, and_(_R.id == reminder_id, _not_set()))

    def alarms_to_set(self, until: datetime, again_until: datetime, after_id: str) -> list[AlarmToSet]:
        """One page of alarms to set, ordered by reminder id, after ``after_id``.

        These are all alarms up to ``until`` that were never set, and all alarms up to ``again_until``, as
        those that were set may have been lost.
        """
        wanted = or_(and_(_not_set(), _R.alarm_at <= until), _R.alarm_at <= again_until)
        with self._database.reading() as connection:
            return _alarms(connection, and_(_R.state == ReminderState.WAITING, wanted, _R.id > after_id))

    def note_set(self, alarms: Sequence[AlarmToSet]) -> None:
        """Record that Kafka has these alarms."""
        if not alarms:
            return
        rows = [{"reminder": alarm.reminder_id, "set_version": alarm.version} for alarm in _in_order(alarms)]
        self._database.write(lambda connection: _NOTE_SET.execute(connection, rows))

    def unsent(self, *, reminder_id: str | None = None, fired_until: datetime | None = None) -> list[Any]:
        """One page of the notices of firings that the queue has not got yet, the oldest first."""
        wanted = select(_F.notice).where(_F.sent_at.is_(None)).order_by(_F.fired_at, _F.id).limit(PAGE)
        if reminder_id is not None:
            wanted = wanted.where(_F.reminder_id == reminder_id)
        if fired_until is not None:
            wanted = wanted.where(_F.fired_at <= fired_until)
        with self._database.reading() as connection:
            return list(connection.execute(wanted).scalars())

    def note_sent(self, firings: Sequence[str], now: datetime) -> None:
        """Record that the queue has the notices of these firings; their content is dropped."""
        if not firings:
            return
        done = update(reminder_firings).where(_F.id.in_(firings)).values(sent_at=now, notice=None)
        with self._database.writing() as connection:
            connection.execute(done)

    def _note_firing(self, connection: Connection, firing: dict[str, Any]) -> bool:
        """Store a firing; False if it is there already."""
        insert = self._database.insert(reminder_firings).values(firing)
        added = insert.on_conflict_do_nothing(index_elements=["id"])
        return connection.execute(added).rowcount == 1


def _firing(
    reminder_id: str, todo: Todo, alarm: Alarm, *, moved: int | None, outcome: FiringOutcome, now: datetime
) -> dict[str, Any]:
    skipped = outcome is FiringOutcome.SKIPPED
    firing = firing_id(reminder_id, alarm, moved)
    notice = notice_for(firing, todo, alarm, late=outcome is FiringOutcome.LATE)
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


def _advance(connection: Connection, row: Row[Any], due: Due, fired_at: datetime | None) -> None:
    values = on_alarm(due.following, row.version)
    if fired_at is not None:
        values |= {"fired_occurrence": due.latest.occurrence, "fired_at": fired_at}
    connection.execute(update(reminders).where(_R.id == row.id).values(values))


def _locked(connection: Connection, reminder_id: str) -> Row[Any] | None:
    """A reminder with its todo; the reminder stays locked until the transaction ends."""
    both = select(reminders, _T.todo).join(reminded_todos, _T.todo_id == _R.todo_id)
    return connection.execute(both.where(_R.id == reminder_id).with_for_update(of=reminders)).first()


def _not_set() -> Any:
    return and_(_R.state == ReminderState.WAITING, _R.alarm_version < _R.version)


def _alarms(connection: Connection, wanted: Any) -> list[AlarmToSet]:
    found = select(_R.id, _R.version, _R.alarm_at).where(wanted).order_by(_R.id).limit(PAGE)
    return [AlarmToSet(row.id, row.version, row.alarm_at) for row in connection.execute(found)]


def _in_order(alarms: Sequence[AlarmToSet]) -> list[AlarmToSet]:
    # Two transactions that lock rows in different orders would wait for each other for ever.
    return sorted(alarms, key=lambda alarm: alarm.reminder_id)
