"""Says where a broker cannot read its own log, and from where on it can again."""

from __future__ import annotations

import time

from kafka import KafkaConsumer, TopicPartition

from .patches.fetching.damaged_logs import DamagedLogFetcher, UnreadablePlace

#: How long Kafka has for the records from one offset.
_TRY_S = 2.0


def unreadable_places(consumer: KafkaConsumer) -> dict[TopicPartition, UnreadablePlace]:
    """The assigned partitions that their brokers cannot read now, as the consumer's fetches have shown."""
    fetcher: DamagedLogFetcher = consumer._fetcher
    return {
        one: place for one, place in fetcher.unreadable.items() if consumer._subscription.is_assigned(one)
    }


def readable_from(consumer: KafkaConsumer, partition: TopicPartition, offset: int, end: int) -> int:
    """The first readable offset behind an unreadable one and before ``end``; ``end`` if there is none.

    The consumer must not be of a group: it is assigned to the partition. Raises kafka-python's errors.
    """
    consumer.assign([partition])
    unreadable, step = offset, 1
    while unreadable + step < end and not _is_readable(consumer, partition, unreadable + step):
        unreadable, step = unreadable + step, step * 2
    readable = min(unreadable + step, end)
    while readable - unreadable > 1:
        middle = (unreadable + readable) // 2
        if _is_readable(consumer, partition, middle):
            readable = middle
        else:
            unreadable = middle
    return readable


def _is_readable(consumer: KafkaConsumer, partition: TopicPartition, offset: int) -> bool:
    consumer.seek(partition, offset)
    consumer._fetcher.unreadable.clear()
    deadline = time.monotonic() + _TRY_S
    while time.monotonic() < deadline:
        if consumer.poll(timeout_ms=100).get(partition):
            return True
        if unreadable_places(consumer):
            return False
    return False
