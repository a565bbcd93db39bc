"""Reads topics without a consumer group: the records there are, and those that come.

Records that cannot be read are among them; each is logged as a warning.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from ..errors import KafkaUnreachable, LogUnreadable, TopicsMissing
from ..records.consumed import ConsumedRecord
from . import (
    Cluster,
    KafkaConsumer,
    TopicPartition,
    connect_consumer,
    kafka_errors,
    topic_ids,
    unreadable_places,
)

logger = logging.getLogger(__name__)

#: If nothing comes for so long though something must, Kafka is away. A connection may take even longer.
_PATIENCE_S = 15.0
#: A gap of more records than this is leapt over; a smaller one is read, as it has mostly been fetched.
_LEAP = 2_000


class TopicReader:
    """Reads all partitions of some topics from their beginning. For one thread; nothing is committed.

    A context manager: it connects when it is entered, as by :meth:`open`.
    """

    def __init__(self, cluster: Cluster, *topics: str, **options: Any) -> None:
        """``options`` are those of kafka-python's consumer."""
        self._cluster = cluster
        self._topics = topics
        self._options = options
        self._doing = f"read topic {', '.join(topics)}"
        self._client: KafkaConsumer | None = None
        self._partitions: list[TopicPartition] = []

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Connect. Raises KafkaUnreachable; then it is closed."""
        self._client = connect_consumer(self._cluster, None, **self._options)
        try:
            self._assign(self._client)
        except BaseException:
            self.close()
            raise

    def _assign(self, client: KafkaConsumer) -> None:
        with kafka_errors(self._cluster, self._doing):
            self._partitions = [
                TopicPartition(topic, partition)
                for topic in self._topics
                for partition in sorted(client.partitions_for_topic(topic) or ())
            ]
            client.assign(self._partitions)
            if self._partitions:  # a topic that does not exist has none
                client.seek_to_beginning()

    def read(self, timeout_ms: int) -> list[ConsumedRecord]:
        """The records that come within ``timeout_ms``, partition by partition. Raises KafkaUnreachable."""
        assert self._client is not None, "not open"
        with kafka_errors(self._cluster, self._doing):
            fetched = self._client.poll(timeout_ms=timeout_ms)
        found: list[ConsumedRecord] = [record for records in fetched.values() for record in records]
        for record in found:
            if record.unreadable is not None:
                logger.warning("%s", record.unreadable)
        return found

    def wait(self, timeout_s: float) -> None:
        """Wait until there may be something to read, after a :meth:`read` without a wait found nothing."""
        assert self._client is not None, "not open"
        self._client._fetcher.wait_for_news(timeout_s)

    def wake(self) -> None:
        """End a :meth:`wait`, from any thread."""
        client = self._client
        if client is not None:
            client._fetcher.end_quiet()

    def position(self, topic: str) -> int:
        """The offset behind the last record that was read of a topic with one partition."""
        assert self._client is not None, "not open"
        position: int = self._client.position(TopicPartition(topic, 0))
        return position

    def require_topics(self) -> None:
        """Raise TopicsMissing if there was none of the topics when this was opened."""
        if not self._partitions:
            raise TopicsMissing(
                f"there is no topic {', '.join(self._topics)}; todo-workers topics creates it"
            )

    def read_to_end(self) -> Iterator[ConsumedRecord]:
        """The records up to the end that the topic has now, and maybe some that come meanwhile.

        Called again, it goes on behind them. Raises KafkaUnreachable, also if no more records come.
        """
        assert self._client is not None, "not open"
        with kafka_errors(self._cluster, self._doing):
            ends = self._client.end_offsets(self._client.assignment())
        for records in self._read_until(ends):
            yield from records

    def sizes(self) -> dict[TopicPartition, tuple[int, int]]:
        """Each partition's first offset, and the one behind its last. Raises KafkaUnreachable."""
        assert self._client is not None, "not open"
        with kafka_errors(self._cluster, self._doing):
            starts = self._client.beginning_offsets(self._partitions)
            ends = self._client.end_offsets(self._partitions)
        return {partition: (starts[partition], ends[partition]) for partition in sorted(self._partitions)}

    def topic_id(self, topic: str) -> UUID | None:
        """The id of a topic, as it was when this was opened; None if there was none, or Kafka is too old."""
        assert self._client is not None, "not open"
        return topic_ids(self._client, [topic])[topic]

    def read_partition(
        self, partition: TopicPartition, end: int, *, start: int | None = None
    ) -> Iterator[list[ConsumedRecord]]:
        """Yield one partition's records in lists, from ``start`` or its beginning up to ``end`` and maybe
        beyond.

        Raises KafkaUnreachable, also if no more records come.
        """
        assert self._client is not None, "not open"
        with kafka_errors(self._cluster, self._doing):
            self._client.assign([partition])
            if start is None:
                self._client.seek_to_beginning(partition)
            else:
                self._client.seek(partition, start)
        yield from self._read_until({partition: end})

    def go_to(self, positions: Mapping[TopicPartition, int]) -> None:
        """Let :meth:`read` go on from these offsets. Raises KafkaUnreachable."""
        assert self._client is not None, "not open"
        with kafka_errors(self._cluster, self._doing):
            for partition, offset in positions.items():
                self._client.seek(partition, offset)

    def positions(self) -> dict[TopicPartition, int]:
        """The offset of each partition from which :meth:`read` goes on. Raises KafkaUnreachable."""
        assert self._client is not None, "not open"
        with kafka_errors(self._cluster, self._doing):
            return {one: self._client.position(one) for one in self._partitions}

    def read_at(self, partition: TopicPartition, offsets: Sequence[int]) -> Iterator[ConsumedRecord]:
        """Yield one partition's records at these ascending offsets, those that are still there.

        Raises KafkaUnreachable, also if no more records come.
        """
        assert self._client is not None, "not open"
        wanted = deque(offsets)
        with kafka_errors(self._cluster, self._doing):
            self._client.assign([partition])
        self.go_to({partition: wanted[0]})
        for records in self._read_until({partition: wanted[-1] + 1}):
            for record in records:
                while wanted and wanted[0] < record.offset:
                    wanted.popleft()
                if wanted and wanted[0] == record.offset:
                    yield record
            if records and wanted and wanted[0] > records[-1].offset + _LEAP:
                self.go_to({partition: wanted[0]})

    def _read_until(self, ends: Mapping[TopicPartition, int]) -> Iterator[list[ConsumedRecord]]:
        assert self._client is not None, "not open"
        positions: dict[TopicPartition, int] = {}
        moved_at = time.monotonic()
        while True:
            with kafka_errors(self._cluster, self._doing):
                before, positions = positions, {one: self._client.position(one) for one in ends}
            if all(positions[one] >= end for one, end in ends.items()):
                return
            if positions != before:
                moved_at = time.monotonic()
            elif places := unreadable_places(self._client):
                partition, place = next(iter(places.items()))
                raise LogUnreadable(
                    f"Kafka at {self._cluster.address} cannot read {partition.topic}/{partition.partition} "
                    f"at offset {place.offset} ({place.why}); look at the disk of its leader"
                )
            elif time.monotonic() - moved_at > _PATIENCE_S + self._cluster.connect_timeout_s:
                raise KafkaUnreachable(
                    f"Kafka at {self._cluster.address} does not answer any more, cannot {self._doing}"
                )
            yield self.read(timeout_ms=500)

    def close(self) -> None:
        """Disconnect; does nothing if it is not open."""
        if self._client is not None:
            self._client.close()
            self._client = None
