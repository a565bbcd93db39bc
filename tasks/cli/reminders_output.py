"""The work of `todo-workers reminders`. Times are shown in the zone of each reminder's owner."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table

from workers.cli.terminal import console, visible
from workers.cli.times import parse_coming_time, parse_length
from workers.errors import WorkersError

from ..reminders.by_hand import RemindersByHand, alarm_left
from ..reminders.outcomes import AlarmToSet, ReminderState
from ..reminders.reminder import Firing, Reminder
from ..text import one_line

SetAlarm = Callable[[AlarmToSet], None]


def show_list(
    by_hand: RemindersByHand,
    *,
    todo: str | None,
    owner: str | None,
    state: ReminderState | None,
    limit: int,
    as_json: bool,
) -> None:
    """Print the reminders that fire first; as JSON Lines if ``as_json``."""
    found, total = by_hand.find(todo_id=todo, owner=owner, state=state, limit=limit)
    if as_json:
        for reminder in found:
            print(json.dumps(_as_json(reminder)))
        return
    if not found:
        print("no reminders match")
        return
    console().print(_table(found))
    if total > len(found):
        console().print(f"{len(found)} of {total} reminders, those that fire first; --limit shows more")


def show(by_hand: RemindersByHand, beginning: str, *, as_json: bool) -> None:
    """Print everything about one reminder, and the results of its last alarms."""
    reminder = by_hand.one(beginning)
    history = by_hand.history(reminder.id)
    if as_json:
        fired = [_firing_as_json(firing, reminder.time_zone) for firing in history]
        print(json.dumps(_as_json(reminder) | {"fired": fired}))
        return
    table = Table(box=None, show_header=False)
    for name, value in _details(reminder).items():
        table.add_row(name, visible(value))
    for firing in history:
        sent = "" if firing.is_sent else ", not handed to the mail queue yet"
        what = f"{firing.outcome} {_time(firing.fired_at, reminder.time_zone)}{sent}"
        table.add_row("fired", f"{what}, set for {_time(firing.alarm_at, reminder.time_zone)}")
    console().print(table)


def cancel(by_hand: RemindersByHand, beginning: str) -> None:
    """Cancel a reminder, and say so."""
    reminder = by_hand.cancel(beginning)
    print(f"{_named(reminder)} is cancelled")


def reschedule(
    by_hand: RemindersByHand, beginning: str, when: str, now: datetime, set_alarm: SetAlarm
) -> None:
    """Set a reminder to another time, and say which."""
    at = parse_coming_time(when, now, ZoneInfo(by_hand.one(beginning).time_zone))
    _set(*by_hand.reschedule(beginning, at, now), set_alarm)


def snooze(by_hand: RemindersByHand, beginning: str, length: str, now: datetime, set_alarm: SetAlarm) -> None:
    """Put a reminder off, and say until when."""
    _set(*by_hand.snooze(beginning, parse_length(length), now), set_alarm)


def _set(reminder: Reminder, alarm: AlarmToSet, set_alarm: SetAlarm) -> None:
    assert reminder.alarm_at is not None
    said = f"{_named(reminder)} fires {_time(reminder.alarm_at, reminder.time_zone)}"
    if why := alarm_left(set_alarm, alarm):
        raise WorkersError(f"{said}; workers set its alarm later, as it cannot be set now: {why}")
    print(said)


def _named(reminder: Reminder) -> str:
    return f"reminder {reminder.id} ({reminder.before_due}) of {one_line(reminder.title, 60)!r}"


def _table(found: list[Reminder]) -> Table:
    table = Table("fires", "due", "before", "state", "todo", "title", "owner", "id", box=None)
    for reminder in found:
        cells = (
            _time(reminder.alarm_at, reminder.time_zone),
            _time(reminder.occurrence, reminder.time_zone),
            reminder.before_due,
            _state(reminder),
            one_line(reminder.todo_id, 40),
            one_line(reminder.title, 40),
            reminder.owner,
            reminder.id,
        )
        table.add_row(*map(visible, cells))
    return table


def _details(reminder: Reminder) -> dict[str, str]:
    zone = reminder.time_zone
    return {
        "id": reminder.id,
        "todo": f"{reminder.todo_id}: {one_line(reminder.title, 100)}",
        "owner": f"{reminder.owner}, {zone}",
        "before": reminder.before_due,
        "repeats": reminder.recurrence or "no",
        "state": _state(reminder),
        "fires": _time(reminder.alarm_at, zone) or "not any more",
        "due": _time(reminder.occurrence, zone),
        "version": str(reminder.version),
    }


def _state(reminder: Reminder) -> str:
    if reminder.state is not ReminderState.WAITING:
        return reminder.state
    return (
        "waiting"
        + (", moved" if reminder.is_moved else "")
        + ("" if reminder.has_alarm else ", no alarm yet")
    )


def _time(time: datetime | None, zone: str) -> str:
    return f"{time.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}" if time else ""


def _iso(time: datetime | None, zone: str) -> str | None:
    return time.astimezone(ZoneInfo(zone)).isoformat() if time else None


def _as_json(reminder: Reminder) -> dict[str, Any]:
    return _with_times(asdict(reminder), reminder.time_zone)


def _firing_as_json(firing: Firing, zone: str) -> dict[str, Any]:
    return _with_times(asdict(firing), zone)


def _with_times(values: dict[str, Any], zone: str) -> dict[str, Any]:
    return {
        name: _iso(value, zone) if isinstance(value, datetime) else value for name, value in values.items()
    }
