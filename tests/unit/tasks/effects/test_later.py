"""What is left becomes jobs: what Kafka refuses holds up nothing else, nor does a Kafka that is away."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import dramatiq
import pytest

from tasks.effects import later as module
from tasks.effects.event_in_hand import Effect, EventInHand
from tasks.effects.later import Later, Left, left_over
from tasks.events.models import OtherEvent, read_any_event
from tests.helpers.waiting import wait_for
from workers.errors import BatchNotDelivered, KafkaUnreachable, MessageTooLarge, NotAuthorized, WorkersError

Ends = dict[int, Exception | None]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_DELAY_S", 0.01)


def some(count: int, ends: Ends) -> list[Left]:
    """What is left of some events, each of which has one effect; their ends are kept by number."""

    def one(number: int) -> Left:
        data = OtherEvent(type="something.else").model_dump(mode="json")
        event = EventInHand(read_any_event(data), data, lambda error: ends.update({number: error}))
        return left_over(event, Effect.RECORD)

    return [one(number) for number in range(count)]


def undelivered(error: WorkersError) -> BatchNotDelivered:
    message: dramatiq.Message[Any] = dramatiq.Message("audit", "record_audit", (), {}, {})
    return BatchNotDelivered([(message, error)], 1)


@pytest.mark.parametrize("error", [MessageTooLarge("too large"), NotAuthorized("no")])
def test_a_job_that_is_refused_at_delivery_is_the_failure_of_its_event(error: WorkersError) -> None:
    ends: Ends = {}
    refused, other = some(2, ends)

    def enqueue(left: Sequence[Left]) -> None:
        if refused in left:
            raise undelivered(error)

    later = Later(enqueue, lambda _: None)
    later.put(refused, other)
    wait_for(lambda: len(ends) == 2)
    later.close()
    assert isinstance(ends[0], BatchNotDelivered)
    assert ends[1] is None


def test_a_job_that_cannot_be_written_yet_does_not_hold_up_those_after_it() -> None:
    ends: Ends = {}
    stuck, other = some(2, ends)
    may_pass = threading.Event()

    def enqueue(left: Sequence[Left]) -> None:
        if stuck in left and not may_pass.is_set():
            raise undelivered(KafkaUnreachable("no leader"))

    later = Later(enqueue, lambda _: None)
    later.put(stuck, other)
    wait_for(lambda: 1 in ends)
    assert 0 not in ends
    may_pass.set()
    wait_for(lambda: 0 in ends)
    later.close()


def test_closing_while_kafka_is_away_waits_for_one_try_only() -> None:
    ends: Ends = {}
    work = some(9, ends)
    tries: list[int] = []
    may_answer = threading.Event()

    def enqueue(left: Sequence[Left]) -> None:
        tries.append(len(left))
        assert may_answer.wait(30)
        raise undelivered(KafkaUnreachable("away"))

    later = Later(enqueue, lambda _: None)
    later.put(*work)
    wait_for(lambda: tries)
    closing = threading.Thread(target=later.close)
    closing.start()
    wait_for(later._closing.is_set)
    may_answer.set()
    closing.join(30)
    assert not closing.is_alive()
    assert len(tries) == 1
    assert ends == {}


def test_work_that_fails_unforeseen_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    ends: Ends = {}
    data = OtherEvent(type="something.else").model_dump(mode="json")

    def finish(_: Exception | None) -> None:
        raise LookupError("unforeseen")

    later = Later(lambda _: None, lambda _: None)
    later.put(left_over(EventInHand(read_any_event(data), data, finish), Effect.RECORD))
    wait_for(lambda: "unforeseen" in caplog.text)
    first = later._thread
    later.put(*some(1, ends))
    wait_for(lambda: ends == {0: None})
    assert later._thread is first
    later.close()


def test_where_no_thread_can_start_the_work_is_done_with_the_next(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ends: Ends = {}
    first, second = some(2, ends)
    later = Later(lambda _: None, lambda _: None)

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        later.put(first)
    assert "event.later pieces=1: no thread" in caplog.text
    later.put(second)
    wait_for(lambda: len(ends) == 2)
    later.close()
