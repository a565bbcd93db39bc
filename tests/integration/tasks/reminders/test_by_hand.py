"""Reminders by hand, on SQLite and on PostgreSQL: found, cancelled, set to another time, put off."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy
from sqlalchemy import select, text

from tasks.cli import reminders_output as commands
from tasks.events.models import TodoUpdated, read_event
from tasks.reminders.by_hand import NoSuchReminder, NotPossible, RemindersByHand
from tasks.reminders.outcomes import AlarmToSet, FiringOutcome, LatePolicy, ReminderState
from tasks.reminders.reminder import Reminder
from tasks.reminders.tables import reminded_todos, reminders
from tasks.storage.database import Database
from tests.helpers.reminder_world import DUE, IN_TIME, NOW, SKIPS, World, at, event, later
from tests.helpers.samples import an_owner
from workers.errors import KafkaUnreachable, WorkersError, WrongUsage

ALARM = at("2026-06-05 16:00")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def by_hand(database: Database) -> RemindersByHand:
    return RemindersByHand(database)


def the_one(by_hand: RemindersByHand) -> Reminder:
    (found,), _ = by_hand.find(limit=10)
    return found


def test_reminders_are_found_by_what_they_are_about(world: World, by_hand: RemindersByHand) -> None:
    ben = an_owner(email="ben@example.com", time_zone="Asia/Tokyo")
    world.sync(event(), event(id="todo-2", owner=ben, reminders=["0m"], recurrence="FREQ=DAILY"))
    found, total = by_hand.find(limit=2)
    assert (total, [reminder.before_due for reminder in found]) == (3, ["-1d", "-1h"])
    (his,), _ = by_hand.find(owner="ben@example.com", limit=10)
    assert (his.todo_id, his.title, his.time_zone) == ("todo-2", "Buy milk", "Asia/Tokyo")
    assert (his.recurrence, his.occurrence, his.alarm_at) == ("FREQ=DAILY", DUE, DUE)
    assert (his.state, his.version, his.has_alarm, his.is_moved) == (ReminderState.WAITING, 1, True, False)
    assert by_hand.find(todo_id="todo-2", limit=10) == ([his], 1)
    assert by_hand.find(owner="BEN@Example.com", limit=10) == ([his], 1)
    assert by_hand.find(state=ReminderState.DONE, limit=10) == ([], 0)
    assert by_hand.one(his.id[:13]) == his


def test_reminders_are_shown_of_a_todo_whose_owner_and_series_are_lists(
    world: World, by_hand: RemindersByHand
) -> None:
    world.sync(event(reminders=["-1h"], recurrence="FREQ=DAILY"))
    # Nothing else of an event is needed to cancel reminders: it may be wrong.
    data = event("todo.updated", time=later(1), reminders=[]).model_dump(mode="json")
    data["todo"]["recurrence"] = ["RRULE:FREQ=DAILY", "EXDATE:20260606"]
    data["todo"]["owner"] |= {"time_zone": ["Europe/Berlin"], "email": ["ana@example.com", "ben@example.com"]}
    cancelling = read_event(data).event
    assert isinstance(cancelling, TodoUpdated)
    world.sync(cancelling)
    shown = the_one(by_hand)
    assert (shown.state, shown.time_zone) == (ReminderState.CANCELLED, "UTC")
    assert shown.owner == "ana@example.com, ben@example.com"
    assert shown.recurrence == "RRULE:FREQ=DAILY, EXDATE:20260606"


def test_the_reminders_of_one_owner_are_all_that_there_is(world: World, database: Database) -> None:
    ben = an_owner(email="Ben@example.com")
    world.sync(event(), event(id="todo-2", owner=ben, reminders=["0m"]))
    bens = RemindersByHand(database, owner="ben@EXAMPLE.com")
    (his,), total = bens.find(limit=10)
    assert (his.todo_id, total) == ("todo-2", 1)
    assert bens.find(owner="ana@example.com", limit=10) == ([], 0)
    assert bens.cancel(his.id).state is ReminderState.CANCELLED
    hers = RemindersByHand(database).find(owner="ana@example.com", limit=1)[0][0]
    for do in (
        lambda: bens.one(hers.id),
        lambda: bens.cancel(hers.id),
        lambda: bens.snooze(hers.id, MINUTE, NOW),
        lambda: bens.reschedule(hers.id, later(60), NOW),
    ):
        with pytest.raises(NoSuchReminder) as caught:
            do()
        assert hers.id[:-1] not in str(caught.value).replace(f"has the id {hers.id}", "")


def test_the_list_of_an_owner_reads_only_the_rows_of_that_owner(world: World, database: Database) -> None:
    world.sync(event())
    copy_for_others(database, 3_000)
    with database.writing() as connection:
        connection.execute(text("ANALYZE"))
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    sqlalchemy.event.listen(database.readers, "before_cursor_execute", note)
    hers = RemindersByHand(database, owner="ANA@example.com")
    assert hers.find(limit=10)[1] == 2
    (first,), _ = hers.find(limit=1)
    assert hers.one(first.id) == first
    sqlalchemy.event.remove(database.readers, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.reading() as connection:
        for statement, parameters in asked:
            steps = connection.exec_driver_sql(explain + statement, parameters).all()
            plan = "\n".join(str(step[-1]) for step in steps)
            assert "ix_reminded_todos_owner" in plan
            # "SCAN reminders", "Seq Scan on reminders"; the count of what was found scans a subquery.
            assert "Seq Scan" not in plan
            assert not any(f"SCAN {table}" in plan for table in ("reminders", "reminded_todos"))


def copy_for_others(database: Database, count: int) -> None:
    """Add so many todos of other owners, each with two reminders, like the one that is there."""
    with database.writing() as connection:
        todo = connection.execute(select(reminded_todos)).mappings().one()
        own = connection.execute(select(reminders)).mappings().all()
        others, theirs = [], []
        for number in range(count):
            owner = todo["todo"]["owner"] | {"email": f"{number}@example.com"}
            others.append({**todo, "todo_id": f"other-{number}", "todo": todo["todo"] | {"owner": owner}})
            theirs += [{**one, "id": str(uuid4()), "todo_id": f"other-{number}"} for one in own]
        connection.execute(reminded_todos.insert(), others)
        connection.execute(reminders.insert(), theirs)


def test_an_id_that_is_not_there_is_answered_with_near_ones(world: World, by_hand: RemindersByHand) -> None:
    with pytest.raises(NoSuchReminder, match="No reminder has the id x; todo-workers reminders list"):
        by_hand.one("x")
    world.sync(event())
    ids = [reminder.id for reminder in by_hand.find(limit=10)[0]]
    with pytest.raises(NoSuchReminder, match=f"near ones: .*{ids[0]}"):
        by_hand.one(ids[0][:-1] + "x")
    with pytest.raises(NoSuchReminder, match="No reminder has the id %"):
        by_hand.one("%")
    with pytest.raises(WrongUsage, match="an id is empty"):
        by_hand.cancel("")
    world.sync(event("todo.updated", time=later(1), reminders=[f"-{hours}h" for hours in range(1, 18)]))
    begun = Counter(reminder.id[0] for reminder in by_hand.find(limit=20)[0])
    twice = next(digit for digit, count in begun.items() if count > 1)  # of seventeen, two begin alike
    with pytest.raises(NoSuchReminder, match=f"More than one reminder begins with '{twice}'"):
        by_hand.one(twice)


def test_what_is_cancelled_does_not_fire_until_the_todo_changes(
    world: World, by_hand: RemindersByHand
) -> None:
    world.sync(event(reminders=["-1h"], recurrence="FREQ=DAILY"))
    cancelled = by_hand.cancel(the_one(by_hand).id)
    assert (cancelled.state, cancelled.alarm_at, cancelled.version) == (ReminderState.CANCELLED, None, 2)
    assert world.fire(ALARM, version=1) is None
    world.sync(event("todo.updated", time=later(1), reminders=["-1h"], recurrence="FREQ=DAILY", title="New"))
    assert the_one(by_hand).state is ReminderState.CANCELLED
    world.sync(event("todo.updated", time=later(2), reminders=["-1h"], due=DUE + timedelta(days=1)))
    assert the_one(by_hand).alarm_at == ALARM + timedelta(days=1)


def test_what_is_set_to_another_time_fires_then_and_the_series_goes_on(
    world: World, by_hand: RemindersByHand
) -> None:
    world.sync(event(reminders=["-1h"], recurrence="FREQ=DAILY"))
    moved, alarm = by_hand.reschedule(the_one(by_hand).id, later(10), NOW)
    assert (moved.alarm_at, moved.occurrence, moved.is_moved) == (later(10), DUE, True)
    assert alarm == AlarmToSet(moved.id, 2, later(10))
    assert world.fire(later(10)).outcome is FiringOutcome.SENT
    assert world.waiting() == {"-1h": ALARM + timedelta(days=1)}
    assert not the_one(by_hand).is_moved


@pytest.mark.parametrize("policy", [IN_TIME, SKIPS])
def test_what_is_put_off_beyond_the_next_of_its_series_is_on_time_then(
    policy: LatePolicy, database: Database, by_hand: RemindersByHand
) -> None:
    world = World(database, policy)
    world.sync(event(reminders=["-1h"], recurrence="FREQ=DAILY"))
    assert world.fire(ALARM).outcome is FiringOutcome.SENT
    moment = ALARM + timedelta(days=2, hours=2)
    by_hand.reschedule(the_one(by_hand).id, moment, ALARM + MINUTE)
    fired = world.fire(moment + timedelta(seconds=1))
    assert (fired.outcome, fired.occurrence) == (FiringOutcome.SENT, DUE + timedelta(days=2))
    values = world.notices_sent[-1].values
    assert (values["late"], values["when"]) == (False, moment.isoformat())
    assert world.waiting() == {"-1h": ALARM + timedelta(days=3)}


def test_one_that_is_done_or_was_cancelled_can_be_set_again(world: World, by_hand: RemindersByHand) -> None:
    world.sync(event(reminders=["-1h"]))
    world.fire(ALARM)
    by_hand.reschedule(the_one(by_hand).id, ALARM + MINUTE, ALARM)
    assert world.fire(ALARM + MINUTE).outcome is FiringOutcome.SENT
    assert len({notice.id for notice in world.notices_sent}) == 2
    by_hand.reschedule(the_one(by_hand).id, ALARM + 3 * MINUTE, ALARM + 2 * MINUTE)
    by_hand.cancel(the_one(by_hand).id)
    by_hand.reschedule(the_one(by_hand).id, ALARM + 4 * MINUTE, ALARM + 2 * MINUTE)
    assert world.fire(ALARM + 4 * MINUTE).outcome is FiringOutcome.SENT
    with pytest.raises(NotPossible, match="no alarm left to cancel"):
        by_hand.cancel(the_one(by_hand).id)


def test_a_time_that_has_passed_and_a_closed_todo_are_refused(world: World, by_hand: RemindersByHand) -> None:
    world.sync(event(reminders=["-1h"]))
    with pytest.raises(NotPossible, match="has passed; nothing was changed"):
        by_hand.reschedule(the_one(by_hand).id, NOW, NOW)
    world.sync(event("todo.completed", time=later(1), reminders=["-1h"]))
    with pytest.raises(NotPossible, match="its todo todo-1 is closed"):
        by_hand.reschedule(the_one(by_hand).id, later(9), NOW)
    with pytest.raises(NotPossible, match="its todo todo-1 is closed"):
        by_hand.snooze(the_one(by_hand).id, MINUTE, NOW)


def test_a_reminder_is_refused_that_was_cancelled_by_an_event_with_an_owner_that_is_none(
    world: World, by_hand: RemindersByHand
) -> None:
    world.sync(event(reminders=["-1h"]))
    data = event("todo.updated", time=later(1), reminders=[]).model_dump(mode="json")
    data["todo"]["owner"] |= {"time_zone": "Mars/Olympus", "email": "ana"}
    cancelling = read_event(data).event
    assert isinstance(cancelling, TodoUpdated)
    world.sync(cancelling)
    reminder = the_one(by_hand).id
    with pytest.raises(NotPossible, match="is called off: its todo todo-1 is closed, or has it no longer"):
        by_hand.reschedule(reminder, later(9), NOW)
    with pytest.raises(NotPossible, match="is called off: its todo todo-1 is closed, or has it no longer"):
        by_hand.snooze(reminder, MINUTE, NOW)


def test_snoozing_what_has_fired_tells_it_again_and_the_series_goes_on(
    world: World, by_hand: RemindersByHand
) -> None:
    world.sync(event(reminders=["-1h"], recurrence="FREQ=DAILY"))
    world.fire(ALARM)
    snoozed, _ = by_hand.snooze(the_one(by_hand).id, 10 * MINUTE, ALARM + MINUTE)
    assert (snoozed.occurrence, snoozed.alarm_at) == (DUE, ALARM + 11 * MINUTE)
    world.fire(ALARM + 11 * MINUTE)
    by_hand.snooze(the_one(by_hand).id, 10 * MINUTE, ALARM + 12 * MINUTE)
    world.fire(ALARM + 22 * MINUTE)
    assert len({notice.id for notice in world.notices_sent}) == 3
    assert {notice.values["due"] for notice in world.notices_sent} == {DUE.isoformat()}
    assert world.waiting() == {"-1h": ALARM + timedelta(days=1)}


def test_snoozing_after_the_due_time_was_changed_tells_the_new_one(
    world: World, by_hand: RemindersByHand
) -> None:
    world.sync(event(reminders=["-1h"]))
    world.fire(ALARM)
    days = timedelta(days=3)
    world.sync(event("todo.updated", time=ALARM + MINUTE, reminders=["-1h"], due=DUE + days))
    snoozed, _ = by_hand.snooze(the_one(by_hand).id, 10 * MINUTE, ALARM + 2 * MINUTE)
    assert (snoozed.occurrence, snoozed.alarm_at) == (DUE + days, ALARM + 12 * MINUTE)
    assert world.fire(ALARM + 12 * MINUTE).occurrence == DUE + days
    assert world.waiting() == {"-1h": ALARM + days}
    world.fire(ALARM + days)
    assert len({notice.id for notice in world.notices_sent}) == 3
    told = [notice.values["due"] for notice in world.notices_sent]
    assert told == [DUE.isoformat(), (DUE + days).isoformat(), (DUE + days).isoformat()]


def test_snoozing_a_series_whose_due_time_was_changed_tells_the_occurrence_that_has_fired(
    world: World, by_hand: RemindersByHand
) -> None:
    world.sync(event(reminders=["-1h"], recurrence="FREQ=DAILY"))
    world.fire(ALARM)
    moved = DUE + timedelta(days=3)
    series = {"reminders": ["-1h"], "recurrence": "FREQ=DAILY", "due": moved}
    world.sync(event("todo.updated", time=ALARM + MINUTE, **series))
    by_hand.snooze(the_one(by_hand).id, 10 * MINUTE, ALARM + 2 * MINUTE)
    assert world.fire(ALARM + 12 * MINUTE).occurrence == DUE
    assert world.waiting() == {"-1h": ALARM + timedelta(days=3)}


def test_snoozing_what_is_about_to_fire_puts_it_off(world: World, by_hand: RemindersByHand) -> None:
    world.sync(event(reminders=["-1h"]))
    by_hand.snooze(the_one(by_hand).id, 30 * MINUTE, ALARM - MINUTE)
    assert world.fire(ALARM, version=1) is None
    assert world.waiting() == {"-1h": ALARM + 29 * MINUTE}
    with pytest.raises(NotPossible, match="has not fired and is not due until then: reschedule it"):
        by_hand.snooze(the_one(by_hand).id, MINUTE, ALARM)


def test_a_change_of_the_due_time_takes_back_what_was_set_by_hand(
    world: World, by_hand: RemindersByHand
) -> None:
    world.sync(event(reminders=["-1h"]))
    by_hand.reschedule(the_one(by_hand).id, later(10), NOW)
    world.sync(event("todo.updated", time=later(5), reminders=["-1h"], title="Other"))
    assert the_one(by_hand).is_moved
    world.sync(event("todo.updated", time=later(6), reminders=["-1h"], due=DUE + timedelta(days=1)))
    assert (the_one(by_hand).alarm_at, the_one(by_hand).is_moved) == (ALARM + timedelta(days=1), False)


def test_lists_show_the_owner_s_time(
    world: World, by_hand: RemindersByHand, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.show_list(by_hand, todo=None, owner=None, state=None, limit=1, as_json=False)
    assert capsys.readouterr().out == "no reminders match\n"
    world.sync(event(title="Café\n\x1b[31m"), event(id="todo-2", owner=an_owner(time_zone="Asia/Tokyo")))
    commands.show_list(by_hand, todo=None, owner=None, state=None, limit=3, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["fires", "due", "before", "state", "todo", "title", "owner", "id"]
    assert "2026-06-04 17:00 CEST" in lines[1]
    assert "2026-06-05 00:00 JST" in lines[2]
    assert "2026-06-05 16:00 CEST" in lines[3]
    assert "\x1b" not in "".join(lines)
    assert lines[4] == "3 of 4 reminders, those that fire first; --limit shows more"
    commands.show_list(by_hand, todo="todo-2", owner=None, state=ReminderState.WAITING, limit=9, as_json=True)
    (first, _second) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["alarm_at"] == "2026-06-05T00:00:00+09:00"
    assert (first["state"], first["before_due"], first["has_alarm"]) == ("waiting", "-1d", True)


def test_a_title_is_no_markup(
    world: World, by_hand: RemindersByHand, capsys: pytest.CaptureFixture[str]
) -> None:
    title = "[red]Mend[/x] :warning:"
    world.sync(event(title=title, reminders=["-1h"]))
    commands.show_list(by_hand, todo=None, owner=None, state=None, limit=1, as_json=False)
    assert title in capsys.readouterr().out
    commands.show(by_hand, the_one(by_hand).id, as_json=False)
    assert title in capsys.readouterr().out


def test_one_is_shown_with_what_its_alarms_came_to(
    world: World, by_hand: RemindersByHand, capsys: pytest.CaptureFixture[str]
) -> None:
    world.sync(event(reminders=["-1h"], recurrence="FREQ=WEEKLY"))
    world.fire(ALARM)
    commands.show(by_hand, the_one(by_hand).id[:8], as_json=False)
    shown = capsys.readouterr().out
    for words in ("FREQ=WEEKLY", "2026-06-12 16:00 CEST", "sent 2026-06-05 16:00 CEST, set for"):
        assert words in shown
    commands.show(by_hand, the_one(by_hand).id, as_json=True)
    (fired,) = json.loads(capsys.readouterr().out)["fired"]
    assert (fired["outcome"], fired["is_sent"]) == ("sent", True)
    assert fired["fired_at"] == "2026-06-05T16:00:00+02:00"


def test_a_time_without_a_zone_is_the_owner_s(
    world: World, by_hand: RemindersByHand, capsys: pytest.CaptureFixture[str]
) -> None:
    world.sync(event(reminders=["-1h"], owner=an_owner(time_zone="Asia/Tokyo")))
    alarms: list[AlarmToSet] = []
    commands.reschedule(by_hand, the_one(by_hand).id, "2026-06-03T09:00", NOW, alarms.append)
    assert alarms[0].at == datetime(2026, 6, 3, 0, 0, tzinfo=UTC)
    assert "(-1h) of 'Buy milk' fires 2026-06-03 09:00 JST" in capsys.readouterr().out
    commands.snooze(by_hand, the_one(by_hand).id, "3d", NOW, alarms.append)
    assert alarms[1].at == NOW + timedelta(days=3)


def test_without_kafka_the_change_is_kept_and_its_alarm_comes_later(
    world: World, by_hand: RemindersByHand
) -> None:
    def away(_alarm: AlarmToSet) -> None:
        raise KafkaUnreachable("Kafka at nowhere cannot be reached")

    world.sync(event(reminders=["-1h"]))
    with pytest.raises(
        WorkersError, match=r"fires 2026-06-01 14:00 CEST; workers set its alarm later.*nowhere"
    ):
        commands.reschedule(by_hand, the_one(by_hand).id, "2h", NOW, away)
    assert not the_one(by_hand).has_alarm
    world.keeper.reconcile(NOW)
    assert the_one(by_hand).has_alarm


def test_the_id_of_a_todo_may_hold_anything(world: World, by_hand: RemindersByHand) -> None:
    odd: dict[str, Any] = {"id": "50%_\\x", "reminders": ["0m"]}
    world.sync(event(**odd))
    assert the_one(by_hand).todo_id == "50%_\\x"
