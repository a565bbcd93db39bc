"""A Kafka that answers nothing any more: who waits for it is answered in time, and nobody else is held up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

import dramatiq
import pytest

from tests.helpers.broken_kafka import frozen, jvm
from tests.helpers.kafka_reading import read_topic
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.errors import BatchNotDelivered, KafkaUnreachable, NotDelivered
from workers.local_kafka import LocalKafka
from workers.records.envelope import decode

SEND_TIMEOUT_S = 3.0
CONNECT_TIMEOUT_S = 1.0
#: A busy machine may add that much to a time-out.
MARGIN_S = 5.0


@pytest.fixture(scope="module")
def kafka() -> Iterator[LocalKafka]:
    with LocalKafka() as kafka:
        yield kafka
        jvm(kafka).kill()


@pytest.fixture
def broker(kafka: LocalKafka, namespace: str, request: pytest.FixtureRequest) -> Iterator[KafkaBroker]:
    send_timeout_s = getattr(request, "param", SEND_TIMEOUT_S)
    cluster = Cluster(
        (kafka.bootstrap_servers,), connect_timeout_s=CONNECT_TIMEOUT_S, send_timeout_s=send_timeout_s
    )
    broker = KafkaBroker(cluster, namespace=namespace, partitions=2)
    broker.declare_queue("default")
    yield broker
    broker.close()


def message(*args: object) -> dramatiq.Message[None]:
    return dramatiq.Message("default", "work", args, {}, {})


def send_again(broker: KafkaBroker) -> dramatiq.Message[None] | None:
    with suppress(KafkaUnreachable):
        return broker.enqueue(message("again"))
    return None


def connect(broker: KafkaBroker) -> None:
    """Send until Kafka has confirmed it: that may take longer than a time-out on a busy machine."""
    wait_for(lambda: send_again(broker), 60)


def test_each_of_many_awaited_sends_has_its_answer_in_time(broker: KafkaBroker, kafka: LocalKafka) -> None:
    async def one(number: int) -> tuple[float, BaseException | None]:
        started = time.monotonic()
        try:
            await broker.enqueue_async(message(number))
        except KafkaUnreachable as exc:
            return time.monotonic() - started, exc
        return time.monotonic() - started, None

    async def all_of_them() -> list[tuple[float, BaseException | None]]:
        with frozen(kafka):
            # Not all at once: those of one batch share its fate.
            tasks = []
            for number in range(176):
                tasks.append(asyncio.create_task(one(number)))
                await asyncio.sleep(0.01)
            return await asyncio.wait_for(asyncio.gather(*tasks), 60)

    connect(broker)
    answers = asyncio.run(all_of_them())
    assert len(answers) == 176
    assert max(took for took, _ in answers) < SEND_TIMEOUT_S + MARGIN_S
    assert any(error is not None for _, error in answers)
    connect(broker)


@pytest.mark.parametrize("broker", [30.0], indirect=True)
def test_what_was_sent_before_a_short_freeze_is_confirmed_after_it(
    broker: KafkaBroker, kafka: LocalKafka
) -> None:
    async def send() -> None:
        with frozen(kafka):
            tasks = [asyncio.create_task(broker.enqueue_async(message(number))) for number in range(50)]
            await asyncio.sleep(SEND_TIMEOUT_S / 4)
        await asyncio.gather(*tasks)

    connect(broker)
    asyncio.run(send())
    records = read_topic(broker.cluster, broker.topics.jobs("default"))
    written = [decode(record.value, None).args for record in records]
    assert sorted(args for args in written if args != ("again",)) == [(number,) for number in range(50)]


def test_a_batch_has_one_time_out_for_all_its_messages(broker: KafkaBroker, kafka: LocalKafka) -> None:
    connect(broker)

    def send_40() -> None:
        with broker.batch():
            for number in range(40):
                broker.enqueue(message(number))
                time.sleep(0.02)

    started = time.monotonic()
    with frozen(kafka), pytest.raises(BatchNotDelivered, match="40 of 40") as raised:
        send_40()
    assert time.monotonic() - started < 40 * 0.02 + SEND_TIMEOUT_S + MARGIN_S
    assert all(isinstance(error, NotDelivered) for _, error in raised.value.failures)


def test_a_send_that_must_connect_first_has_no_more_time_than_others(
    broker: KafkaBroker, kafka: LocalKafka
) -> None:
    with frozen(kafka):
        started = time.monotonic()
        with pytest.raises(KafkaUnreachable):
            broker.enqueue(message())
        assert time.monotonic() - started < SEND_TIMEOUT_S + MARGIN_S
        started = time.monotonic()
        with pytest.raises(KafkaUnreachable, match=r"tried again in|being tried again"):
            broker.enqueue(message())
        assert time.monotonic() - started < CONNECT_TIMEOUT_S


def test_closing_a_broker_whose_kafka_is_frozen_ends(broker: KafkaBroker, kafka: LocalKafka) -> None:
    connect(broker)
    with frozen(kafka):
        with pytest.raises(NotDelivered):
            broker.enqueue(message(1))
        started = time.monotonic()
        broker.close()
        assert time.monotonic() - started < SEND_TIMEOUT_S + MARGIN_S
