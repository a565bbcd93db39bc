"""Reminders on SQLite and on PostgreSQL: in step with events in any order, each told once, whatever fails."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import ANY
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from tasks.events.models import TodoEvent, parse_event
from tasks.notifications.notice import InvalidNotice
from tasks.reminders.outcomes import AlarmToSet, FiringOutcome, ReminderState
from tasks.reminders.plans import reminder_id
from tasks.reminders.store import PAGE
from tasks.reminders.tables import reminded_todos, reminder_firings, reminders
from tasks.storage.database import Database
from tasks.storage.engine import DatabaseUnavailable
from tests.helpers.reminder_world import DUE, IN_TIME, MAX_DELAY, NOW, SKIPS, Crash, World, at, event, later
from tests.helpers.samples import KINDS, an_owner


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_a_todo_with_a_due_time_has_its_alarms(world: World) -> None:
    world.sync(event())
    assert world.waiting() == {"-1d": at("2026-06-04 17:00"), "-1h": at("2026-06-05 16:00")}
    rows = world.rows().values()
    assert {(alarm.reminder_id, alarm.version, alarm.at) for alarm in world.alarms_set} == {
        (row.id, row.version, row.alarm_at) for row in rows
    }
    assert all(row.alarm_version == row.version == 1 for row in rows)


def test_offsets_that_mean_the_same_are_one_reminder(world: World) -> None:
    world.sync(event(reminders=["-1h", "-60m", "-1h"]))
    assert world.waiting() == {"-1h": at("2026-06-05 16:00")}


def test_a_repeated_event_changes_nothing_and_sets_no_alarm_again(world: World) -> None:
    created = event()
    world.sync(created, created)
    world.sync(created, now=later(60))
    assert len(world.alarms_set) == 2
    assert {row.version for row in world.rows().values()} == {1}


def test_moving_the_due_time_moves_the_alarms_and_outdates_the_old_ones(world: World) -> None:
    world.sync(event(), event("todo.updated", time=later(1), due=DUE + timedelta(days=2)))
    assert world.waiting() == {"-1d": at("2026-06-06 17:00"), "-1h": at("2026-06-07 16:00")}
    assert world.fire(at("2026-06-05 16:00"), version=1) is None
    assert world.notices_sent == []


def test_changing_the_offsets_cancels_those_that_are_gone(world: World) -> None:
    world.sync(event(), event("todo.updated", time=later(1), reminders=["-1h", "-15m"]))
    assert world.waiting() == {"-1h": at("2026-06-05 16:00"), "-15m": at("2026-06-05 16:45")}
    assert (world.row("-1d").state, world.row("-1d").version) == (ReminderState.CANCELLED, 2)
    assert world.row("-1h").version == 1
    world.sync(event("todo.updated", time=later(2)))
    assert world.row("-1d").state == ReminderState.WAITING
    assert world.row("-1d").version == 3, "a version never comes again, or an outdated alarm would fire"


def test_a_change_of_something_else_leaves_the_alarms_alone(world: World) -> None:
    world.sync(event(), event("todo.updated", time=later(1), title="Buy oat milk"))
    assert {row.version for row in world.rows().values()} == {1}
    assert world.fire(at("2026-06-05 16:00")).outcome is FiringOutcome.SENT
    assert world.notices_sent[0].values["title"] == "Buy oat milk"


def test_moving_to_another_zone_moves_what_is_on_the_calendar(world: World) -> None:
    weekly: dict[str, Any] = {"recurrence": "FREQ=WEEKLY", "due": at("2026-06-01 09:00"), "reminders": ["0m"]}
    world.sync(event(**weekly))
    moved = an_owner(time_zone="America/New_York")
    world.sync(event("todo.updated", time=later(1), owner=moved, **weekly | {"due": at("2026-10-26 09:00")}))
    # 09:00 in Berlin after its summer is 04:00 in New York, a week before the end of the summer there.
    world.fire(at("2026-10-26 09:00"), "0m")
    assert world.waiting() == {"0m": datetime(2026, 11, 2, 4, 0, tzinfo=ZoneInfo("America/New_York"))}


@pytest.mark.parametrize("kind", ["todo.completed", "todo.deleted"])
@pytest.mark.parametrize("recurrence", [None, "FREQ=DAILY"])
def test_completing_and_deleting_cancel_a_series_too(world: World, kind: str, recurrence: str | None) -> None:
    world.sync(event(recurrence=recurrence), event(kind, time=later(1), recurrence=recurrence))
    assert {row.state for row in world.rows().values()} == {ReminderState.CANCELLED}
    assert world.fire(at("2026-06-05 16:00"), version=1) is None
    world.sync(event("todo.updated", time=later(2), due=DUE + timedelta(days=1)))
    assert world.waiting() == {}, "an edit does not open it again"
    world.sync(event("todo.created", time=later(3)))
    assert set(world.waiting()) == {"-1d", "-1h"}


def test_an_event_whose_todo_has_no_reminders_any_more_cancels_those_that_are_known(world: World) -> None:
    world.sync(event(), event("todo.completed", time=later(1), reminders=[], due=None))
    assert {row.state for row in world.all_rows()} == {ReminderState.CANCELLED}


def test_without_a_due_time_there_is_nothing_to_remind_of(world: World) -> None:
    world.sync(event(due=None))
    assert world.rows() == {}
    world.sync(event("todo.updated", time=later(1)))
    assert set(world.waiting()) == {"-1d", "-1h"}
    world.sync(event("todo.updated", time=later(2), due=None))
    assert world.waiting() == {}


def test_events_in_any_order_and_twice_give_the_same(world: World) -> None:
    moved = DUE + timedelta(days=3)
    for number, order in enumerate(itertools.permutations(range(4))):
        life = [
            event(id=f"todo-{number}", time=later(0)),
            event("todo.updated", id=f"todo-{number}", time=later(1), due=moved),
            event("todo.completed", id=f"todo-{number}", time=later(2), due=moved),
            event("todo.updated", id=f"todo-{number}", time=later(3), due=moved, title="Done"),
        ]
        world.sync(*(life[index] for index in (*order, *order)))
    with world.database.reading() as connection:
        states = set(connection.execute(select(reminders.c.state)).scalars())
        titles = [todo["title"] for todo in connection.execute(select(reminded_todos.c.todo)).scalars()]
    assert states == {ReminderState.CANCELLED}
    assert titles == ["Done"] * 24


def test_an_older_event_does_not_undo_a_newer_one(world: World) -> None:
    newer = event("todo.updated", time=later(5), due=DUE + timedelta(days=1))
    world.sync(newer, event(time=NOW), event("todo.updated", time=later(4), due=DUE + timedelta(days=9)))
    assert world.waiting() == {"-1d": at("2026-06-05 17:00"), "-1h": at("2026-06-06 16:00")}


def test_the_log_counts_where_clocks_differ_and_what_is_stored_remembers_it(world: World) -> None:
    def at_offset(offset: int, event: TodoEvent) -> TodoEvent:
        place = {"partition": 0, "offset": offset, "written_ms": int(NOW.timestamp() * 1000) + offset}
        return parse_event(event.model_dump(mode="json") | {"log_position": place})

    for number, order in enumerate(itertools.permutations(range(3))):
        life = [
            at_offset(1, event(id=f"todo-{number}", time=later(5))),
            at_offset(2, event("todo.updated", id=f"todo-{number}", time=later(1), title="Nearly done")),
            at_offset(3, event("todo.completed", id=f"todo-{number}", time=later(2))),
        ]
        world.sync(*(life[index] for index in order))
    assert {row.state for row in world.all_rows()} == {ReminderState.CANCELLED}
    with world.database.reading() as connection:
        titles = [todo["title"] for todo in connection.execute(select(reminded_todos.c.todo)).scalars()]
    assert titles == ["Nearly done"] * 6


def test_rows_of_before_all_events_were_remembered_go_on(world: World) -> None:
    world.sync(event(), event("todo.updated", time=later(1), due=DUE + timedelta(days=1)))
    with world.database.writing() as connection:
        connection.execute(reminded_todos.update().values(events=None))
    world.sync(event("todo.completed", time=NOW - timedelta(minutes=1)))
    assert set(world.waiting()) == {"-1d", "-1h"}
    world.sync(event("todo.completed", time=later(2)))
    assert world.waiting() == {}
    # A worker of before, which still runs, does not know the column.
    opened = f"{later(3).strftime('%Y-%m-%dT%H:%M:%S.%f')} 0 {UUID(int=5)}"
    with world.database.writing() as connection:
        connection.execute(reminded_todos.update().values(newest_event=opened, opening_event=opened))
    world.sync(event("todo.updated", time=later(4)))
    assert set(world.waiting()) == {"-1d", "-1h"}


def test_of_events_at_the_same_time_completing_is_the_last(world: World) -> None:
    world.sync(event("todo.completed"), event("todo.created"), event("todo.updated"))
    assert world.waiting() == {}


def test_a_todo_without_reminders_costs_no_row(world: World) -> None:
    world.sync(*(event(kind, time=later(1), reminders=[]) for kind in KINDS))
    with world.database.reading() as connection:
        assert connection.execute(select(reminded_todos)).all() == []


def test_a_time_that_had_passed_when_the_event_happened_does_not_fire(world: World) -> None:
    world.sync(event(due=NOW + timedelta(minutes=30), reminders=["-1h", "-30m", "-15m"]))
    assert world.waiting() == {"-15m": later(15)}
    assert world.row("-1h").state == world.row("-30m").state == ReminderState.DONE
    world.sync(event("todo.updated", time=later(5), due=NOW - timedelta(days=1)))
    assert world.waiting() == {}


def test_a_time_that_passed_while_the_event_waited_to_be_handled_fires_late(world: World) -> None:
    world.sync(event(), now=at("2026-06-05 18:00"))
    assert world.waiting()["-1h"] == at("2026-06-05 16:00")
    assert world.fire(at("2026-06-05 18:00")).outcome is FiringOutcome.LATE
    assert world.notices_sent[0].values["late"] is True


def test_an_alarm_tells_once_what_for_and_for_when(world: World) -> None:
    world.sync(event(owner=an_owner(language="de")))
    fired = world.fire(at("2026-06-05 16:00") + timedelta(seconds=1))
    assert (fired.outcome, fired.occurrence, fired.passed) == (FiringOutcome.SENT, DUE, 0)
    (notice,) = world.notices_sent
    assert (notice.kind, notice.urgent, notice.recipient.language) == ("todo_reminder", True, "de")
    assert notice.values == {
        "title": "Buy milk",
        "due": "2026-06-05T15:00:00+00:00",
        "when": "2026-06-05T14:00:00+00:00",
        "late": False,
    }
    (firing,) = world.firings()
    assert (firing.id, firing.outcome, firing.notice) == (str(notice.id), FiringOutcome.SENT, None)
    assert world.row().state == ReminderState.DONE


def test_an_alarm_that_comes_twice_tells_once(world: World) -> None:
    world.sync(event())
    now = at("2026-06-05 16:00")
    assert world.fire(now, version=1) is not None
    assert world.fire(now, version=1) is None
    assert len(world.notices_sent) == 1


def test_an_alarm_that_comes_early_is_set_again(world: World) -> None:
    world.sync(event())
    row = world.row()
    world.alarms_set.clear()
    assert world.fire(row.alarm_at - timedelta(milliseconds=5)) is None
    # Later than its time: else it would come back at once from a host whose clock is ahead.
    later = row.alarm_at + timedelta(milliseconds=1_005)
    assert world.alarms_set == [AlarmToSet(row.id, row.version, later)]
    assert world.notices_sent == []
    assert world.fire(later - timedelta(milliseconds=5)) is not None
    assert len(world.notices_sent) == 1


def test_an_alarm_for_an_unknown_reminder_does_nothing(world: World) -> None:
    assert world.keeper.fire(reminder_id("todo-9", "-1h"), 1, NOW) is None


def test_a_series_goes_on_at_the_same_time_of_day_across_the_change_of_clocks(world: World) -> None:
    daily: dict[str, Any] = {
        "due": at("2026-10-24 09:00"),
        "recurrence": "FREQ=DAILY;COUNT=3",
        "reminders": ["-15m"],
    }
    world.sync(event(**daily))
    fired = []
    while waiting := world.waiting():
        fired.append(waiting["-15m"])
        world.fire(waiting["-15m"], "-15m")
    assert fired == [at("2026-10-24 08:45"), at("2026-10-25 08:45"), at("2026-10-26 08:45")]
    assert fired[1] - fired[0] == timedelta(hours=25)
    assert len({notice.id for notice in world.notices_sent}) == 3
    assert [alarm.version for alarm in world.alarms_set] == [1, 2, 3]


def test_an_alarm_that_was_missed_is_told_late_once_and_the_series_goes_on(world: World) -> None:
    world.sync(event(due=at("2026-06-01 17:00"), recurrence="FREQ=DAILY", reminders=["0m"]))
    fired = world.fire(at("2026-06-04 19:00"), "0m")
    assert (fired.outcome, fired.passed) == (FiringOutcome.LATE, 3)
    (notice,) = world.notices_sent
    assert notice.values["when"] == at("2026-06-04 17:00").isoformat()
    assert world.waiting() == {"0m": at("2026-06-05 17:00")}


def test_an_alarm_that_was_missed_is_skipped_where_that_is_wanted(database: Database) -> None:
    world = World(database, SKIPS)
    world.sync(event(due=at("2026-06-01 17:00"), recurrence="FREQ=DAILY", reminders=["0m"]))
    assert world.fire(at("2026-06-04 19:00"), "0m").outcome is FiringOutcome.SKIPPED
    assert world.notices_sent == []
    assert world.waiting() == {"0m": at("2026-06-05 17:00")}
    assert world.fire(at("2026-06-05 17:14"), "0m").outcome is FiringOutcome.SENT
    assert [row.outcome for row in world.firings()] == [FiringOutcome.SKIPPED, FiringOutcome.SENT]


def test_an_occurrence_that_was_told_is_not_told_again_because_a_change_was_late(world: World) -> None:
    world.sync(event())
    alarm = at("2026-06-05 16:00")
    world.fire(alarm)
    # The change happened just before the alarm, and is handled after it.
    changed = event(
        "todo.updated", time=alarm - timedelta(seconds=1), owner=an_owner(time_zone="Europe/Paris")
    )
    world.sync(changed, now=alarm + timedelta(seconds=5))
    assert world.fire(alarm + timedelta(seconds=6)) is None
    assert len(world.notices_sent) == 1
    assert world.row().state == ReminderState.DONE


@pytest.mark.parametrize("place", ["send_notices", "set_alarms"])
def test_a_worker_that_dies_after_the_claim_is_completed_by_the_next_try(world: World, place: str) -> None:
    world.sync(event(recurrence="FREQ=DAILY"))
    alarm = world.row().alarm_at
    world.crash_at = place
    with pytest.raises(Crash):
        world.fire(alarm, version=1)
    world.crash_at = None
    assert world.fire(alarm + timedelta(seconds=10), version=1) is None
    assert len({notice.id for notice in world.notices_sent}) == 1
    assert world.alarms_set[-1] == AlarmToSet(world.row().id, 2, alarm + timedelta(days=1))
    assert world.row().alarm_version == 2
    assert all(row.sent_at for row in world.firings())


@pytest.mark.parametrize("place", ["send_notices", "set_alarms"])
def test_a_worker_that_dies_after_the_claim_is_completed_by_reconciling(world: World, place: str) -> None:
    world.sync(event(recurrence="FREQ=DAILY"))
    alarm = world.row().alarm_at
    world.crash_at = place
    with pytest.raises(Crash):
        world.fire(alarm, version=1)
    world.crash_at = None
    world.keeper.reconcile(alarm + timedelta(minutes=5))
    assert len({notice.id for notice in world.notices_sent}) == 1
    assert AlarmToSet(world.row().id, 2, alarm + timedelta(days=1)) in world.alarms_set
    done = world.keeper.reconcile(alarm + timedelta(minutes=6))
    assert done.notices == 0


def test_a_sync_that_dies_before_its_alarms_are_set_is_completed_by_the_next_try(world: World) -> None:
    created = event()
    world.crash_at = "set_alarms"
    with pytest.raises(Crash):
        world.sync(created)
    world.crash_at = None
    world.sync(created)
    assert len(world.alarms_set) == 2
    assert {row.alarm_version for row in world.rows().values()} == {1}


def test_what_a_claim_has_just_written_is_left_to_its_own_job(world: World) -> None:
    world.sync(event())
    alarm = world.row().alarm_at
    world.crash_at = "send_notices"
    with pytest.raises(Crash):
        world.fire(alarm)
    world.crash_at = None
    assert world.keeper.reconcile(alarm + timedelta(seconds=30)).notices == 0
    assert world.keeper.reconcile(alarm + timedelta(seconds=61)).notices == 1


def test_reconciling_sets_the_alarms_that_were_lost(world: World) -> None:
    world.sync(event(), event(id="todo-2", due=DUE + timedelta(days=5)))
    world.alarms_set.clear()
    now = at("2026-06-05 14:30")  # the alarms of 4 June, 17:00, and of 5 June, 16:00, are gone
    done = world.keeper.reconcile(now)
    assert done.alarms == 2
    assert {alarm.at for alarm in world.alarms_set} == {at("2026-06-04 17:00"), at("2026-06-05 16:00")}
    for alarm in world.alarms_set:
        world.keeper.fire(alarm.reminder_id, alarm.version, max(alarm.at, now))
    assert [notice.values["late"] for notice in world.notices_sent] == [
        alarm.at < now for alarm in world.alarms_set[:2]
    ]


def test_an_alarm_beyond_the_longest_delay_is_set_when_it_has_come_nearer(world: World) -> None:
    far = NOW + timedelta(days=400)
    world.sync(event(due=far, reminders=["0m"]))
    assert world.alarms_set == []
    assert world.keeper.reconcile(NOW + timedelta(days=100)).alarms == 0
    assert world.keeper.reconcile(far - MAX_DELAY).alarms == 1
    assert [alarm.at for alarm in world.alarms_set] == [far]


def test_reconciling_again_is_harmless(world: World) -> None:
    world.sync(event())
    alarm_at = world.row().alarm_at
    for _ in range(3):
        world.keeper.reconcile(alarm_at - timedelta(minutes=30))
    for alarm in [alarm for alarm in world.alarms_set if alarm.at == alarm_at]:
        world.keeper.fire(alarm.reminder_id, alarm.version, alarm_at)
    assert len(world.notices_sent) == 1


def test_reconciling_takes_more_than_a_page(world: World) -> None:
    count = PAGE + 20
    with world.database.writing() as connection:
        connection.execute(
            reminders.insert(),
            [
                {
                    "id": reminder_id(f"todo-{number}", "0m"),
                    "todo_id": f"todo-{number}",
                    "before_due": "0m",
                    "plan": "x",
                    "state": ReminderState.WAITING,
                    "version": 1,
                    "occurrence": NOW,
                    "alarm_at": NOW,
                    "moved": False,
                    "alarm_version": 0,
                }
                for number in range(count)
            ],
        )
    assert world.keeper.reconcile(NOW).alarms == count
    assert len({alarm.reminder_id for alarm in world.alarms_set}) == count


def test_a_notice_that_cannot_be_sent_holds_up_no_other_and_no_alarm(world: World) -> None:
    world.sync(event(recurrence="FREQ=DAILY"), event(id="todo-2"))
    world.crash_at = "send_notices"
    for row in [row for row in world.all_rows() if row.before_due == "-1h"]:
        with pytest.raises(Crash):
            world.keeper.fire(row.id, 1, row.alarm_at)
    world.crash_at = None
    broken, whole = world.firings()
    with world.database.writing() as connection:
        notice = broken.notice | {"recipient": {}}
        spoil = reminder_firings.update().where(reminder_firings.c.id == broken.id)
        connection.execute(spoil.values(notice=notice))
    world.alarms_set.clear()
    with pytest.raises(InvalidNotice, match=r"recipient\.name"):
        world.keeper.reconcile(at("2026-06-05 16:05"))
    assert [str(notice.id) for notice in world.notices_sent] == [whole.id]
    assert at("2026-06-06 16:00") in {alarm.at for alarm in world.alarms_set}


def test_two_workers_that_fire_the_same_alarm_at_once_tell_once(world: World, database_url: str) -> None:
    # Engines of their own, as in two processes: on SQLite, threads of one process queue for its connection.
    others = [Database(database_url) for _ in range(4)]
    worlds = [World(other) for other in others]
    for number in range(10):
        world.sync(event(id=f"todo-{number}", reminders=["-1h"], recurrence="FREQ=DAILY"))
    for row in [world.alarms_set[number] for number in range(10)]:
        start = threading.Barrier(len(worlds))

        def fire(each: World, row: AlarmToSet = row, start: threading.Barrier = start) -> Any:
            start.wait(30)
            return each.keeper.fire(row.reminder_id, row.version, row.at)

        with ThreadPoolExecutor(len(worlds)) as threads:
            outcomes = list(threads.map(fire, worlds))
        assert sum(outcome is not None for outcome in outcomes) == 1
    notices_sent = [notice.id for each in worlds for notice in each.notices_sent]
    assert len(set(notices_sent)) == 10
    assert len(world.firings()) == 10
    for other in others:
        other.dispose()


def test_events_of_one_todo_at_the_same_time_end_with_the_newest(world: World, database_url: str) -> None:
    others = [Database(database_url) for _ in range(4)]
    events = [
        event("todo.updated", time=later(number), due=DUE + timedelta(hours=number)) for number in range(24)
    ]
    with ThreadPoolExecutor(len(others)) as threads:
        list(
            threads.map(
                lambda pair: World(others[pair[0] % len(others)]).sync(pair[1]), enumerate(reversed(events))
            )
        )
    assert world.waiting()["-1h"] == DUE + timedelta(hours=22)
    for other in others:
        other.dispose()


def test_without_a_database_nothing_is_told_and_the_next_try_tells_once(world: World) -> None:
    world.sync(event())
    row = world.row()
    away = World(Database("postgresql://bot@127.0.0.1:1/todo"))
    with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:1/todo failed"):
        away.keeper.fire(row.id, row.version, row.alarm_at)
    assert away.notices_sent == []
    world.fire(row.alarm_at)
    assert len(world.notices_sent) == 1


def test_the_policy_of_lateness() -> None:
    alarm = NOW
    assert IN_TIME.outcome(alarm, alarm + timedelta(minutes=15)) is FiringOutcome.SENT
    assert IN_TIME.outcome(alarm, alarm + timedelta(minutes=15, seconds=1)) is FiringOutcome.LATE
    assert replace(IN_TIME, skips=True).outcome(alarm, alarm + timedelta(hours=1)) is FiringOutcome.SKIPPED


def test_events_of_a_todo_in_one_transaction_count_one_after_the_other(world: World) -> None:
    # The first alarm is due before the second event happens: it must not get lost between the two.
    due = NOW + timedelta(hours=1, minutes=5)
    created = event(due=due, reminders=["-1h"])
    changed = event("todo.updated", time=later(10), due=due, reminders=["-1h"])
    others = [event(id=f"todo-{number}") for number in range(2, 5)]
    with world.database.writing() as connection:
        alarms = world.store.sync_all(connection, [created, *others, changed, created], later(20))
    (row,) = [row for row in world.all_rows() if row.todo_id == "todo-1"]
    assert row.alarm_at == later(5)
    assert [len(own) for own in alarms] == [1, 2, 2, 2, 1, 1]
    fired = world.keeper.fire(row.id, row.version, later(20))
    assert fired is not None
    assert fired.outcome is FiringOutcome.SENT


def test_a_todo_without_reminders_gets_no_row_unless_it_had_some_in_the_same_transaction(
    world: World,
) -> None:
    plain = event(id="todo-2", reminders=[])
    done = event("todo.completed", time=later(1), reminders=[])
    with world.database.writing() as connection:
        assert world.store.sync_all(connection, [plain, event(), done], NOW) == [[], ANY, []]
    assert {row.todo_id for row in world.all_rows()} == {"todo-1"}
    assert world.waiting() == {}
