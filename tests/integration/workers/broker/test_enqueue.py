"""Many messages with one wait, and messages from asyncio code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest

from tests.helpers.kafka_reading import read_topic
from workers import Cluster, KafkaBroker
from workers.errors import BatchNotDelivered, KafkaUnreachable, MessageTooLarge, UnknownQueue
from workers.kafka.producing.loop_answers import LoopAnswers
from workers.records import envelope
from workers.topics import MAX_JOB_BYTES, RETRY_ROOM_BYTES


def message(*args: Any) -> dramatiq.Message[None]:
    return dramatiq.Message("default", "work", args, {}, {})


def numbers_in(broker: KafkaBroker) -> list[int]:
    records = read_topic(broker.cluster, broker.topics.jobs("default"))
    return sorted(envelope.decode(record.value, "default").args[0] for record in records)


@pytest.fixture(autouse=True)
def default_queue(broker: KafkaBroker) -> None:
    broker.declare_queue("default")


def test_a_batch_is_in_the_log_when_its_block_ends(broker: KafkaBroker) -> None:
    with broker.batch():
        for number in range(500):
            broker.enqueue(message(number))
    assert numbers_in(broker) == list(range(500))


def test_a_batch_whose_block_raises_still_delivers_what_was_sent(broker: KafkaBroker) -> None:
    def send_two() -> None:
        with broker.batch():
            broker.enqueue(message(1))
            broker.enqueue(message("x" * MAX_JOB_BYTES))

    with pytest.raises(MessageTooLarge):
        send_two()
    assert numbers_in(broker) == [1]
    broker.enqueue(message(2))
    assert numbers_in(broker) == [1, 2]


def test_a_batch_that_kafka_does_not_confirm_says_which_messages(broker: KafkaBroker) -> None:
    lost = message(2)

    def send_three() -> None:
        with broker.batch() as batch:
            broker.enqueue(message(1))
            # Larger than the topic takes: our own check is passed by, Kafka's is not.
            record = envelope.Record(b"k", b"x" * (MAX_JOB_BYTES + RETRY_ROOM_BYTES + 1000), [])
            batch.add(lost, broker.producer.send(broker.topics.jobs("default"), record))
            broker.enqueue(message(3))

    broker.enqueue(message(0))
    with pytest.raises(BatchNotDelivered, match=r"[123] of 3 messages were not delivered") as raised:
        send_three()
    assert isinstance(raised.value, dramatiq.BrokerConnectionError)
    failed = {failure.args[0]: error for failure, error in raised.value.failures}
    assert isinstance(failed[2], MessageTooLarge)
    assert set(numbers_in(broker)) | set(failed) == {0, 1, 2, 3}

    # The client gives up at such an error; the broker does not.
    broker.enqueue(message(4))
    assert 4 in numbers_in(broker)


def test_asyncio_code_sends_without_blocking_its_loop(
    broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the connection nor an answer comes before the loop has come round to let it."""
    came_round, loops_thread = threading.Event(), threading.get_ident()

    def held(call: Callable[..., Any]) -> Callable[..., Any]:
        def waits(*args: Any) -> Any:
            # An answer that has come before anybody asks for it is given on the loop's own thread.
            assert threading.get_ident() == loops_thread or came_round.wait(30)
            return call(*args)

        return waits

    attempt = broker.producer._attempt
    monkeypatch.setattr(attempt, "_call", held(attempt._call))
    monkeypatch.setattr(LoopAnswers, "post", held(LoopAnswers.post))

    async def come_round() -> None:
        came_round.set()

    async def send(numbers: range) -> None:
        came_round.clear()
        await asyncio.gather(*(broker.enqueue_async(message(number)) for number in numbers), come_round())

    async def send_all() -> None:
        await send(range(1))
        await send(range(1, 200))

    asyncio.run(send_all())
    assert numbers_in(broker) == list(range(200))


def test_asyncio_code_gets_the_same_errors(broker: KafkaBroker) -> None:
    nowhere = KafkaBroker(Cluster(("127.0.0.1:1",), connect_timeout_s=1))
    nowhere.declare_queue("default")
    with pytest.raises(KafkaUnreachable, match=r"127\.0\.0\.1:1"):
        asyncio.run(nowhere.enqueue_async(message(1)))
    with pytest.raises(UnknownQueue):
        asyncio.run(broker.enqueue_async(dramatiq.Message("other", "work", (), {}, {})))
