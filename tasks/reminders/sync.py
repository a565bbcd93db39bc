"""Brings the rows of reminders in step with events about their todos: many todos with a few statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from ..events.models import TodoEvent
from ..schedules.alarms import Alarm, Plan, next_alarm
from ..storage.prepared import Prepared, PreparedLookUp
from .known_todo import KnownTodo, may_be_ignored
from .known_todo_rows import KnownTodoRows
from .outcomes import AlarmToSet, ReminderState
from .plans import plans
from .tables import reminders

_R = reminders.c

# Built once: building a statement costs more than what the database does with it. In order of the ids: two
# transactions that lock rows in different orders would wait for each other for ever.
_ROWS = PreparedLookUp(
    lambda ids: select(reminders).where(_R.todo_id.in_(ids)).order_by(_R.id).with_for_update()
)
_PLANNED = ("plan", "state", "version", "occurrence", "alarm_at", "moved")
_INSERT = Prepared(reminders.insert(), ("id", "todo_id", "before_due", "alarm_version", *_PLANNED))
_PLAN = Prepared(
    update(reminders)
    .where(_R.id == bindparam("reminder"))
    .values({name: bindparam(name) for name in _PLANNED})
)


def sync_all(
    rows: KnownTodoRows, connection: Connection, events: Sequence[TodoEvent], now: datetime
) -> list[list[AlarmToSet]]:
    """Bring the reminders in step with the events; returns the alarms to set after each of them.

    Raises InvalidRule if some recurrence cannot be followed, and SQLAlchemy's errors.
    """
    alarms: list[list[AlarmToSet]] = [[] for _ in events]
    there = rows.known_among(connection, {event.todo.id for event in events})
    for places in _rounds(_not_ignored(events, there)):
        known = rows.learn(connection, [events[place] for place in places], there)
        there |= known.keys()
        changed = _follow(connection, known, now)
        for place in places:
            alarms[place] = changed[events[place].todo.id]
    return alarms


def _not_ignored(events: Sequence[TodoEvent], known: Set[str]) -> Iterator[tuple[int, str]]:
    """The places of the events that matter, with the ids of their todos."""
    counts = known | {event.todo.id for event in events if not may_be_ignored(event)}
    return ((place, event.todo.id) for place, event in enumerate(events) if event.todo.id in counts)


def _rounds(wanted: Iterator[tuple[int, str]]) -> list[list[int]]:
    """The places in rounds that have one of each todo; the events of a todo stay in their order.

    Each event counts by itself: what an earlier one sets may be due before a later one happens.
    """
    rounds: list[list[int]] = []
    seen: dict[str, int] = {}
    for place, todo_id in wanted:
        number = seen[todo_id] = seen.get(todo_id, -1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(place)
    return rounds


def _follow(
    connection: Connection, known: dict[str, KnownTodo], now: datetime
) -> dict[str, list[AlarmToSet]]:
    """Change the reminders whose plans differ from what is known; returns the alarms to set of each todo.

    New alarms are after the newest event of their todo.
    """
    wanted = {todo_id: plans(one) for todo_id, one in known.items()}
    changed, added = [], []
    alarms: dict[str, list[AlarmToSet]] = {todo_id: [] for todo_id in known}
    for row in _ROWS.rows(connection, list(known)):
        plan = wanted[row.todo_id].pop(row.id, None)
        values = row._asdict()
        if row.plan != (str(plan) if plan else None):
            new = _planned(plan, min(known[row.todo_id].since, now), row.version)
            changed.append(new | {"reminder": row.id})
            values |= new
        alarms[row.todo_id] += _to_set(values)
    for todo_id, plans_left in wanted.items():
        for missing, plan in sorted(plans_left.items()):
            identity = {"id": missing, "todo_id": todo_id, "before_due": str(plan.offset), "alarm_version": 0}
            added.append(identity | _planned(plan, min(known[todo_id].since, now), 0))
            alarms[todo_id] += _to_set(added[-1])
    if changed:
        _PLAN.execute(connection, changed)
    if added:
        _INSERT.execute(connection, added)
    return {todo_id: sorted(own, key=lambda alarm: alarm.reminder_id) for todo_id, own in alarms.items()}


def _to_set(row: dict[str, Any]) -> list[AlarmToSet]:
    """The alarm of a reminder, if it has one that is not set yet."""
    if row["state"] == ReminderState.WAITING and row["alarm_version"] < row["version"]:
        return [AlarmToSet(row["id"], row["version"], row["alarm_at"])]
    return []


def _planned(plan: Plan | None, since: datetime, version: int) -> dict[str, Any]:
    """The columns of a reminder that gets another plan, or none."""
    if plan is None:
        return {"plan": None, **on_alarm(None, version), "state": ReminderState.CANCELLED}
    return {"plan": str(plan), **on_alarm(next_alarm(plan, since), version)}


def on_alarm(alarm: Alarm | None, version: int) -> dict[str, Any]:
    """The columns of a reminder that goes on from ``version`` to its next alarm, or has none left."""
    return {
        "state": ReminderState.WAITING if alarm else ReminderState.DONE,
        "version": version + 1,
        "occurrence": alarm.occurrence if alarm else None,
        "alarm_at": alarm.at if alarm else None,
        "moved": False,
    }
