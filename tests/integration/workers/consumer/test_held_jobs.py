"""Jobs that are held: their threads are free for others, and nothing of them is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import dramatiq
import pytest
from dramatiq import Worker
from dramatiq.middleware import CurrentMessage

from tests.helpers.kafka_reading import committed_position, letters_of
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.dead_letters.letter import Reason
from workers.partitions.taken_message import TakenMessage

StartWorker = Callable[..., Worker]


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1, commit_interval_ms=50)
    broker.add_middleware(CurrentMessage())
    yield broker
    broker.close()


@pytest.fixture
def held(broker: KafkaBroker, start_worker: StartWorker) -> list[TakenMessage]:
    """Three jobs that are held, on one thread."""
    held: list[TakenMessage] = []

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(_number: int) -> None:
        message: object = CurrentMessage.get_current_message()
        assert isinstance(message, TakenMessage)
        message.hold()
        held.append(message)

    broker.set_prefetch("default", 3)
    start_worker(broker, threads=1)
    for number in range(4):
        work.send(number)
    wait_for(lambda: len(held) == 3)
    return held


def test_a_held_job_takes_no_thread_and_is_done_when_it_is_released(
    broker: KafkaBroker, held: list[TakenMessage]
) -> None:
    assert committed_position(broker, "default") in {None, 0}
    held[1].release()
    held[0].release()
    wait_for(lambda: committed_position(broker, "default") == 2)
    # No more are in hand than the queue may have.
    wait_for(lambda: len(held) == 4)
    for message in held[2:]:
        message.release()
    broker.join("default", timeout=60_000)
    assert letters_of(broker) == []


def test_a_held_job_that_is_released_with_an_error_is_a_dead_letter(
    broker: KafkaBroker, held: list[TakenMessage]
) -> None:
    held[0].release(ValueError("it does not work"))
    (letter,) = wait_for(lambda: letters_of(broker))
    assert (letter.reason, letter.actor, letter.exception_message) == (
        Reason.FAILED,
        "work",
        "it does not work",
    )
    for message in wait_for(lambda: held[1:] if len(held) == 4 else None):
        message.release()
    broker.join("default", timeout=60_000)
    assert len(letters_of(broker)) == 1
