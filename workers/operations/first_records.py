"""Reads the first record from each of some offsets on, and finds those that Kafka itself cannot read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from ..kafka import (
    Cluster,
    KafkaConsumer,
    TopicPartition,
    connect_consumer,
    kafka_errors,
    read_up_to,
    readable_from,
    unreadable_places,
)
from ..partitions.lag import Partition
from ..records.consumed import ConsumedRecord

#: How long reading the records may take.
_TIMEOUT_S = 5.0
#: One record of each partition is wanted, and what comes with it is thrown away.
_OPTIONS = {"max_poll_records": 1, "max_partition_fetch_bytes": 64 * 1024}

#: The places that nothing can be read from: the offset, and why.
Stuck = Mapping[TopicPartition, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place in a log that Kafka cannot read, so that nothing behind it is done.

    From ``readable_from`` on it can be read again; that is the log's end if nothing behind the place can.
    """

    topic: str
    partition: int
    offset: int
    why: str
    readable_from: int

    def __str__(self) -> str:
        return (
            f"Kafka cannot read {self.topic}/{self.partition} at offset {self.offset} ({self.why}): nothing "
            "behind it is done. Let another replica lead the partition; if none is sound, give the records "
            f"before offset {self.readable_from} up: kafka-delete-records with that offset"
        )


class FirstRecords:
    """Reads such records again and again; connects when it has to. For one thread."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._consumer: KafkaConsumer | None = None

    def close(self) -> None:
        """Disconnect, if it has connected."""
        if self._consumer is not None:
            self._consumer.close()

    def read(self, wanted: Mapping[TopicPartition, int]) -> tuple[list[ConsumedRecord], Stuck]:
        """The record at each offset, or behind it; and the places that nothing can be read from.

        Raises KafkaUnreachable or NotAuthorized.
        """
        if not wanted:
            return [], {}
        if self._consumer is None:
            self._consumer = connect_consumer(self._cluster, None, **_OPTIONS)
        consumer = self._consumer
        found: list[ConsumedRecord] = []
        with kafka_errors(self._cluster, "read the oldest jobs"):
            consumer.assign(list(wanted))
            consumer.resume(*wanted)
            for name, offset in wanted.items():
                consumer.seek(name, offset)
            deadline = time.monotonic() + _TIMEOUT_S
            while (
                len(found) + len(places := unreadable_places(consumer)) < len(wanted)
                and time.monotonic() < deadline
            ):
                for name, records in consumer.poll(timeout_ms=200).items():
                    found.append(records[0])
                    consumer.pause(name)
            stuck = {name: (place.offset, place.why) for name, place in places.items()}
            read = {TopicPartition(record.topic, record.partition) for record in found} | stuck.keys()
            for name, reached in read_up_to(consumer).items():
                if name not in read and reached.offset == wanted[name]:
                    stuck[name] = (wanted[name], f"it gives no record in {_TIMEOUT_S:g} s")
        return found, stuck

    def unreadable(self, stuck: Stuck, logs: Mapping[TopicPartition, Partition]) -> list[Unreadable]:
        """Those places, without the ones that only wait for a transaction's end."""
        with kafka_errors(self._cluster, "look for readable records"):
            return [
                Unreadable(
                    name.topic,
                    name.partition,
                    offset,
                    why,
                    readable_from(self._consumer, name, offset, logs[name].end),
                )
                for name, (offset, why) in stuck.items()
                if logs[name].held_up < logs[name].end - offset
            ]
