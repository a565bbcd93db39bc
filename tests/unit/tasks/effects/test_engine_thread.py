"""The thread of the effects: what fails on it, or starting it, stops no later event."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.events.models import OtherEvent
from tasks.storage.database import Database
from tests.helpers.effects_world import EffectsWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[EffectsWorld]:
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    world = EffectsWorld(database)
    yield world
    world.close()
    database.dispose()


def test_an_event_is_not_taken_where_no_thread_can_start_and_the_next_one_is(
    world: EffectsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    refused, taken = OtherEvent(type="something.else"), OtherEvent(type="something.else")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="new thread"):
            world.submit(refused)
    world.handle(taken)
    assert world.finished == {taken.event_id: None}


def test_a_turn_that_fails_is_logged_and_the_next_one_does_its_work(
    world: EffectsWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settle, failures = world.engine._settle, [LookupError("unforeseen")]

    def fail_once() -> None:
        if failures:
            raise failures.pop()
        settle()

    monkeypatch.setattr(world.engine, "_settle", fail_once)
    event = OtherEvent(type="something.else")
    world.handle(event)
    assert world.finished == {event.event_id: None}
    assert "effects.failed: going on, events=1" in caplog.text


def test_a_thread_that_has_died_is_replaced(world: EffectsWorld) -> None:
    dead = threading.Thread(target=int)
    dead.start()
    dead.join()
    world.engine._thread = dead
    event = OtherEvent(type="something.else")
    world.handle(event)
    assert world.finished == {event.event_id: None}
