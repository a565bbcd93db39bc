"""Pruning on SQLite and on PostgreSQL: what is old goes in portions, what may still be needed stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from tasks.events.models import LogPosition
from tasks.notifications.delivery_store import DeliveryState, DeliveryStore, deliveries
from tasks.notifications.notice import Notice
from tasks.notifications.rendering import sample_values
from tasks.pruning import Pruned, prune
from tasks.reminders.by_hand import RemindersByHand
from tasks.reminders.tables import reminded_todos, reminder_firings
from tasks.storage.database import Database
from tasks.storage.portions import PORTION, Portions
from tests.helpers.reminder_world import DUE, NOW, World, at, event, later
from tests.helpers.samples import an_owner

DAY = timedelta(days=1)
LEASE = timedelta(minutes=1)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def prune_at(database: Database, now: datetime, *, delivery_days: float = 90) -> Pruned:
    portions = Portions(60, rest=lambda _s: None)
    return prune(database, now, delivery_days=delivery_days, reminder_days=90, portions=portions)


def a_notice() -> Notice:
    values = sample_values("todo_created")
    return Notice(id=uuid4(), kind="todo_created", recipient=an_owner(), values=values)


def test_a_delivery_guards_for_as_long_as_it_is_to_be_kept(database: Database) -> None:
    store = DeliveryStore(database)
    old, tried_again = a_notice(), a_notice()
    token = store.claim(old, now=NOW, lease=LEASE)
    assert token is not None
    assert store.settle(old, token, now=NOW)
    store.claim(tried_again, now=NOW, lease=LEASE)
    store.claim(tried_again, now=NOW + 5 * DAY, lease=LEASE)
    assert not prune_at(database, NOW + 89 * DAY)
    assert store.claim(old, now=NOW + 89 * DAY, lease=LEASE) is None
    assert prune_at(database, NOW + 91 * DAY) == Pruned(deliveries=1)
    assert store.find(old.id) is None
    assert store.find(tried_again.id) is not None


def test_many_rows_go_in_portions_and_what_is_left_goes_the_next_time(database: Database) -> None:
    rows = [
        {
            "id": str(number),
            "kind": "todo_created",
            "recipient": "ana@example.com",
            "state": DeliveryState.SENT,
            "attempts": 1,
            "created_at": NOW,
            "updated_at": NOW,
        }
        for number in range(2 * PORTION + 1)
    ]
    with database.writing() as connection:
        connection.execute(deliveries.insert(), rows)
    clock = iter(range(100))
    rests: list[float] = []
    portions = Portions(3, clock=lambda: next(clock), rest=rests.append)
    pruned = prune(database, NOW + 91 * DAY, delivery_days=90, reminder_days=90, portions=portions)
    assert pruned == Pruned(deliveries=PORTION)
    assert rests == [4]
    assert prune_at(database, NOW + 91 * DAY).deliveries == PORTION + 1


def test_what_fired_long_ago_is_forgotten(world: World) -> None:
    world.sync(event())
    world.fire(at("2026-06-05 16:00"))
    prune_at(world.database, DUE + timedelta(days=89))
    assert len(world.firings()) == 1
    prune_at(world.database, DUE + timedelta(days=91))
    assert world.firings() == []


def test_a_firing_whose_notice_was_never_sent_stays(world: World) -> None:
    world.sync(event())
    world.fire(at("2026-06-05 16:00"))
    with world.database.writing() as connection:
        connection.execute(reminder_firings.update().values(sent_at=None))
    prune_at(world.database, DUE + 400 * DAY)
    assert len(world.firings()) == 1


def test_a_deleted_todo_goes_with_its_reminders_and_an_open_one_stays(world: World) -> None:
    world.sync(event(), event("todo.deleted", time=later(5)))
    world.sync(event(id="todo-2", recurrence="FREQ=YEARLY"))
    assert not prune_at(world.database, NOW + 90 * DAY)
    assert prune_at(world.database, NOW + 91 * DAY) == Pruned(todos=1)
    assert todo_ids(world.database) == ["todo-2"]
    assert {row.todo_id for row in world.all_rows()} == {"todo-2"}


def test_a_todo_is_kept_as_long_as_deliveries_are(world: World) -> None:
    world.sync(event(), event("todo.completed", time=later(5)))
    assert not prune_at(world.database, NOW + 300 * DAY, delivery_days=301)
    assert prune_at(world.database, NOW + 300 * DAY, delivery_days=299)


def test_one_that_fired_lately_or_was_set_again_by_hand_stays(world: World) -> None:
    # Its only event is old, and its alarm is yesterday.
    world.sync(event(due=NOW + 200 * DAY, reminders=["-1h"]))
    row = world.row()
    world.fire(row.alarm_at)
    assert not prune_at(world.database, NOW + 201 * DAY)
    by_hand = RemindersByHand(world.database)
    by_hand.snooze(row.id, timedelta(days=365), NOW + 201 * DAY)
    assert prune_at(world.database, NOW + 400 * DAY).todos == 0
    assert todo_ids(world.database) == ["todo-1"]


def test_a_todo_whose_publisher_has_a_slow_clock_is_kept_by_the_time_of_the_log(world: World) -> None:
    written_ms = int((NOW + 60 * DAY).timestamp() * 1000)
    place = LogPosition(partition=0, offset=7, written_ms=written_ms)
    world.sync(event().model_copy(update={"log_position": place}))
    world.sync(event("todo.deleted", time=later(1)))
    assert not prune_at(world.database, NOW + 149 * DAY)
    assert prune_at(world.database, NOW + 151 * DAY) == Pruned(todos=1)


def test_a_todo_that_was_pruned_begins_anew_when_it_is_reopened(world: World) -> None:
    world.sync(event(), event("todo.completed", time=later(5)))
    prune_at(world.database, NOW + 91 * DAY)
    again = NOW + 100 * DAY
    world.sync(event("todo.created", time=again, due=again + DAY, reminders=["-1h"]), now=again)
    assert world.row().version == 1
    assert world.fire(world.row().alarm_at) is not None


@pytest.mark.parametrize("more", [[], ["todo.updated"], ["todo.updated", "todo.updated", "todo.updated"]])
def test_a_completed_todo_that_was_pruned_sets_no_reminder_when_it_is_changed(
    world: World, more: list[str]
) -> None:
    events = event(recurrence="FREQ=DAILY"), event("todo.completed", time=later(5), recurrence="FREQ=DAILY")
    changes = [event(kind, time=later(6 + n), recurrence="FREQ=DAILY") for n, kind in enumerate(more)]
    world.sync(*events, *changes)
    for days in (100, 200):  # and again, when the change is old
        now = NOW + days * DAY
        assert prune_at(world.database, now) == Pruned(todos=1)
        assert world.all_rows() == []
        assert not prune_at(world.database, now + DAY)
        world.sync(event("todo.updated", time=now, title="Milk", recurrence="FREQ=DAILY"), now=now)
        assert world.waiting() == {}
    assert todo_ids(world.database) == ["todo-1"]


def test_of_a_completed_todo_little_is_left(world: World) -> None:
    world.sync(event(title="Secret"), event("todo.completed", time=later(5), title="Secret"))
    prune_at(world.database, NOW + 91 * DAY)
    with world.database.reading() as connection:
        (row,) = connection.execute(select(reminded_todos))
    assert "Secret" not in str(row)
    assert "@" not in str(row)
    assert [one["id"] for one in row.events] == [row.closing_event.split()[-1]]


def test_a_todo_that_was_completed_and_then_deleted_or_opened_again_goes(world: World) -> None:
    for todo_id, kind in (("todo-1", "todo.deleted"), ("todo-2", "todo.created")):
        world.sync(event(id=todo_id), event("todo.completed", time=later(5), id=todo_id))
        world.sync(event(kind, time=later(6), id=todo_id, due=NOW))
    assert prune_at(world.database, NOW + 91 * DAY) == Pruned(todos=2)
    assert todo_ids(world.database) == []


def todo_ids(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(select(reminded_todos.c.todo_id)).scalars())
