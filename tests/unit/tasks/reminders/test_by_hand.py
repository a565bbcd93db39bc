"""What is done to a reminder is written down first, while the database is free for others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.reminders.by_hand import NotPossible, RemindersByHand
from tasks.reminders.outcomes import ReminderState
from tasks.reminders.reminder import Reminder
from tasks.storage.database import Database
from tests.helpers.reminder_world import DUE, NOW, World, event, later
from workers.errors import KafkaUnreachable

Do = Callable[[RemindersByHand, str], object]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = Database(f"sqlite:///{tmp_path / 'todo.db'}")
    world = World(database)
    world.sync(event(reminders=["-1h"]))
    yield world
    database.dispose()


class Log:
    """Takes what is written down; ``meanwhile`` happens while the first thing is."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self._meanwhile = meanwhile

    def write(self, did: str, about: Mapping[str, Any]) -> None:
        if not self.told:
            self._meanwhile()
        self.told.append((did, about))


def the_one(world: World) -> Reminder:
    ((one,), _) = RemindersByHand(world.database).find(limit=2)
    return one


ways = pytest.mark.parametrize(
    ("do", "did"),
    [
        (lambda by_hand, one: by_hand.cancel(one), "cancel reminder"),
        (lambda by_hand, one: by_hand.reschedule(one, later(60), NOW), "reschedule reminder"),
        (lambda by_hand, one: by_hand.snooze(one, timedelta(days=9), NOW), "snooze reminder"),
    ],
)


@ways
def test_workers_write_while_an_action_is_written_down(world: World, do: Do, did: str) -> None:
    renamed = event("todo.updated", time=later(1), reminders=["-1h"], title="New")
    log, before = Log(lambda: world.sync(renamed)), the_one(world)
    do(RemindersByHand(world.database, write_down=log.write), before.id)
    after = the_one(world)
    assert (after.title, after.version) == ("New", before.version + 1)
    assert after.is_moved or after.state is ReminderState.CANCELLED
    assert [told for told, _ in log.told] == [did]


@ways
def test_what_changed_meanwhile_is_left_and_the_log_says_so(world: World, do: Do, did: str) -> None:
    moved = event("todo.updated", time=later(1), reminders=["-1h"], due=DUE + timedelta(days=1))
    log, before = Log(lambda: world.sync(moved)), the_one(world)
    with pytest.raises(NotPossible, match=f"Reminder {before.id} has changed meanwhile"):
        do(RemindersByHand(world.database, write_down=log.write), before.id[:8])
    after = the_one(world)
    assert (after.occurrence, after.state, after.is_moved) == (
        DUE + timedelta(days=1),
        ReminderState.WAITING,
        False,
    )
    (began, about), (ended, failure) = log.told
    assert (began, ended) == (did, f"{did}: failed")
    assert failure == {**about, "why": f"Reminder {before.id} has changed meanwhile: look at it again"}


def test_a_failure_that_cannot_be_written_hides_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def write_down(did: str, _about: Mapping[str, Any]) -> None:
        if did == "cancel reminder: failed":
            raise KafkaUnreachable("Kafka is away")
        RemindersByHand(world.database).cancel(the_one(world).id)

    with pytest.raises(NotPossible, match="has changed meanwhile"):
        RemindersByHand(world.database, write_down=write_down).cancel(the_one(world).id)
    assert "reminder.failure_not_in_log did=cancel reminder: failed" in caplog.text
