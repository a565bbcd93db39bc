"""Members go on with their work while their group waits for others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import dramatiq
import pytest

from tests.helpers.kafka_reading import committed_position
from tests.helpers.waiting import wait_for
from tests.integration.workers.consumer.test_leaving import (
    has_settled_with_one_partition,
    polled,
    waits_for_others,
)
from workers import Cluster, KafkaBroker
from workers.consumer.queue_consumer import QueueConsumer


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=2, commit_interval_ms=100)
    broker.declare_queue("default")
    yield broker
    broker.close()


def send(broker: KafkaBroker, first: int) -> None:
    for number in range(first, first + 12):  # in turn to both partitions
        broker.enqueue(dramatiq.Message("default", "work", (number,), {}, {}))


def run_some(consumer: QueueConsumer, count: int, ran: Counter[int]) -> None:
    def take() -> bool:
        message = next(consumer)
        if message is not None:
            assert message.start()
            ran[message.args[0]] += 1
            consumer.ack(message)
        return message is not None

    for _ in range(count):
        wait_for(take)


def test_a_member_gets_records_and_commits_while_a_join_waits_for_another(broker: KafkaBroker) -> None:
    working, slow = (broker.consume("default", prefetch=6, timeout=50) for _ in range(2))
    with polled(working, slow):
        wait_for(lambda: all(map(has_settled_with_one_partition, (working, slow))))
    ran: Counter[int] = Counter()
    newcomer = broker.consume("default", prefetch=6, timeout=50)
    with polled(newcomer):
        wait_for(lambda: (next(working), waits_for_others(working))[1])
        send(broker, 0)
        run_some(working, 6, ran)
        wait_for(lambda: (next(working), committed_position(broker, "default"))[1] == 6)
        assert waits_for_others(working)
    members = (working, slow, newcomer)
    deadline = time.monotonic() + 60
    send(broker, 12)
    while sum(ran.values()) < 24 or any(
        member._assignment._client._coordinator.need_rejoin() for member in members
    ):
        assert time.monotonic() < deadline
        for member in members:
            message = next(member)
            if message is not None:
                assert message.start()
                ran[message.args[0]] += 1
                member.ack(message)
    assert ran == dict.fromkeys(range(24), 1)
    assert (
        len({partition for member in members for partition in member._assignment._client.assignment()}) == 2
    )
    for member in members:
        member.close()
    assert committed_position(broker, "default") == 24
