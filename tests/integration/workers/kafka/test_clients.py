"""The pool relies on some behaviour of kafka-python's clients, and mends some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.kafka import KafkaConsumer, TopicPartition, connect_consumer
from workers.records.envelope import Record

LONG, SHORT = 0, 1


@pytest.fixture
def topic(broker: KafkaBroker) -> str:
    """A topic with a long partition and a short one."""
    broker.declare_queue("default")
    broker.prepare()
    topic = broker.topics.jobs("default")
    for partition, count in ((LONG, 300), (SHORT, 10)):
        futures = [
            broker.producer.send(topic, Record(b"key", b"value", []), partition=partition)
            for _ in range(count)
        ]
        for future in futures:
            future.get(10)
    return topic


def offsets(consumer: KafkaConsumer) -> Counter[int]:
    """How many records of each partition one poll gives."""
    found: dict[Any, list[Any]] = consumer.poll(timeout_ms=100, max_records=100)
    return Counter({partition.partition: len(records) for partition, records in found.items()})


def theirs(cluster: Cluster) -> KafkaConsumer:
    """A consumer of kafka-python's, with nothing mended."""
    return KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers, auto_offset_reset="earliest")


def ours(cluster: Cluster) -> KafkaConsumer:
    return connect_consumer(cluster, None)


upstream = pytest.mark.xfail(
    reason="kafka-python lays what it fetched aside, and forgets it", raises=AssertionError
)


@pytest.mark.parametrize(
    ("connect", "seeks"),
    [(ours, True), (ours, False), pytest.param(theirs, False, marks=upstream)],
    ids=["to-the-start", "on", "kafka-python"],
)
def test_a_partition_that_was_paused_half_read_goes_on_once_resumed(
    broker: KafkaBroker, topic: str, connect: Callable[[Cluster], KafkaConsumer], seeks: bool
) -> None:
    long, short = TopicPartition(topic, LONG), TopicPartition(topic, SHORT)
    with connect(broker.cluster) as consumer:
        consumer.assign([long, short])
        consumer.pause(short)
        wait_for(lambda: offsets(consumer)[LONG] == 100)
        consumer.pause(long)
        consumer.resume(short)
        if seeks:
            consumer.seek(long, 0)
        read: Counter[int] = Counter()

        def reads(partition: int, count: int) -> bool:
            read.update(offsets(consumer))
            return read[partition] == count

        wait_for(lambda: reads(SHORT, 10))
        consumer.resume(long)
        wait_for(lambda: reads(LONG, 300 if seeks else 200), timeout_s=10 if connect is ours else 3)
