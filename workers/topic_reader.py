"""Reads a topic without a consumer group: what is there, and what comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .client import Cluster, KafkaConsumer, TopicPartition, connect_consumer, kafka_errors


class TopicReader:
    """Reads all partitions of some topics from their beginning. For one thread; nothing is committed."""

    def __init__(self, cluster: Cluster, *topics: str) -> None:
        self._cluster = cluster
        self._topics = topics
        self._doing = f"read topic {', '.join(topics)}"
        self._client: KafkaConsumer | None = None
        self._partitions: list[TopicPartition] = []

    def open(self) -> None:
        """Connect. Raises KafkaUnreachable."""
        self._client = connect_consumer(self._cluster, None)
        with kafka_errors(self._cluster, self._doing):
            self._partitions = [
                TopicPartition(topic, partition)
                for topic in self._topics
                for partition in sorted(self._client.partitions_for_topic(topic) or ())
            ]
            self._client.assign(self._partitions)
            self._client.seek_to_beginning()

    def read(self, timeout_ms: int) -> list[Any]:
        """The records that come within ``timeout_ms``, partition by partition. Raises KafkaUnreachable."""
        assert self._client is not None, "not open"
        with kafka_errors(self._cluster, self._doing):
            fetched = self._client.poll(timeout_ms=timeout_ms)
        return [record for records in fetched.values() for record in records]

    def read_to_end(self) -> Iterator[Any]:
        """The records up to the end that the topic has now, and maybe some that come meanwhile.

        Called again, it goes on behind them. Raises KafkaUnreachable.
        """
        assert self._client is not None, "not open"
        with kafka_errors(self._cluster, self._doing):
            ends = self._client.end_offsets(self._client.assignment())
        while any(self._client.position(partition) < end for partition, end in ends.items()):
            yield from self.read(timeout_ms=500)

    def partitions(self) -> list[TopicPartition]:
        """The partitions of the topics."""
        assert self._client is not None, "not open"
        return sorted(self._partitions)

    def read_partition(self, partition: TopicPartition) -> Iterator[Any]:
        """The records that one partition holds now, from its beginning. Raises KafkaUnreachable."""
        assert self._client is not None, "not open"
        with kafka_errors(self._cluster, self._doing):
            self._client.assign([partition])
            self._client.seek_to_beginning(partition)
        yield from self.read_to_end()

    def close(self) -> None:
        """Disconnect; does nothing if it is not open."""
        if self._client is not None:
            self._client.close()
            self._client = None
