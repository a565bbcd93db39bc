"""The job of an event is held only by the engine that has it."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

import dramatiq
import pytest
from dramatiq.middleware import CurrentMessage

import tasks
from tasks.actors import events
from tasks.effects.event_in_hand import Effect, EventInHand
from tests.helpers.records import Consumed
from tests.helpers.samples import an_event
from workers.kafka import OffsetAndMetadata, TopicPartition
from workers.partitions.owned_partition import OwnedPartition
from workers.partitions.taken_message import TakenMessage

DATA: dict[str, Any] = an_event().model_dump(mode="json")


class Engine:
    """Takes events, or has no thread for them."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.events: list[EventInHand] = []

    def submit(self, event: EventInHand) -> None:
        if self.error is not None:
            raise self.error
        self.events.append(event)
        for effect in Effect:
            event.done(effect, "done")


def taken(message: dramatiq.Message[Any], monkeypatch: pytest.MonkeyPatch) -> TakenMessage:
    owned = OwnedPartition(TopicPartition("t", 0), OffsetAndMetadata(0, "", -1))
    one = TakenMessage(message, Consumed(), owned, SimpleQueue())
    monkeypatch.setattr(CurrentMessage, "get_current_message", lambda: one)
    return one


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), KeyboardInterrupt()])
def test_a_job_that_the_engine_does_not_take_ends_with_its_thread(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(events, "effects", lambda: Engine(error))
    job = taken(tasks.handle_event.message(DATA), monkeypatch)
    with pytest.raises(type(error)):
        tasks.handle_event.fn(DATA)
    job.ack()
    assert job.acked


def test_a_job_is_not_held_where_there_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("no database")

    monkeypatch.setattr(events, "effects", fail)
    job = taken(tasks.handle_event.message(DATA), monkeypatch)
    with pytest.raises(RuntimeError, match="no database"):
        tasks.handle_event.fn(DATA)
    job.ack()
    assert job.acked


def test_the_job_of_another_actor_that_calls_this_one_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    monkeypatch.setattr(events, "effects", lambda: engine)
    job = taken(tasks.reconcile_reminders.message(), monkeypatch)
    tasks.handle_event.fn(DATA)
    assert len(engine.events) == 1
    assert job._held is None
    job.ack()
    assert job.acked
