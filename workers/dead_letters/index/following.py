"""Builds an index of dead letters from their topic, and keeps it up to date. For one thread.

At first it takes the ends of the partitions alone, so that the newest letters can be shown at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ...kafka import Cluster, TopicPartition
from ...kafka.topic_reader import TopicReader
from ...records.consumed import ConsumedRecord
from .table import Index

#: How many records of each partition's end are taken at first.
_NEWEST = 100


@dataclass(frozen=True, slots=True)
class Built:
    """How far the index is: records that were read, of those that there were when it began."""

    read: int
    total: int

    @property
    def is_complete(self) -> bool:
        return self.read >= self.total


class IndexedLetters:
    """The letters of a topic by an index of this process; a context manager that can be entered again."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._reader: TopicReader | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._begun_at: dict[TopicPartition, int] = {}
        self._goals: dict[TopicPartition, int] = {}
        self.index = Index()
        #: The newest letters, of the ends of the partitions alone.
        self.newest = Index()
        self.has_newest = False
        self.built = Built(0, 1)

    def __enter__(self) -> Self:
        """Connect, and go on where the index ends. Raises KafkaUnreachable or NotAuthorized."""
        self._reader = TopicReader(self._cluster, self._topic)
        try:
            self._reader.open()
            sizes = self._reader.sizes()
            if sizes.keys() != self._positions.keys() or any(
                end < self._positions[partition] for partition, (_, end) in sizes.items()
            ):
                self._begin(sizes)
            self._reader.go_to(self._positions)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._reader is not None
        self._reader.close()
        self._reader = None

    def close(self) -> None:
        """Forget the index; it cannot be entered again."""
        self.index.close()
        self.newest.close()

    @property
    def has_topic(self) -> bool:
        """Whether the topic existed when this was entered."""
        return bool(self._positions)

    def step(self, timeout_ms: int) -> bool:
        """Take in the records that come within this time; whether any came. Raises KafkaUnreachable."""
        assert self._reader is not None, "not entered"
        if not self._positions:
            return False
        records = self._reader.read(timeout_ms)
        self._take(records)
        if not self.built.is_complete:
            for partition, position in self._reader.positions().items():
                self._positions[partition] = max(position, self._positions[partition])
            self.built = self._how_far()
        return bool(records)

    def catch_up(self) -> None:
        """Take in everything that is in the topic by now. Raises KafkaUnreachable."""
        assert self._reader is not None, "not entered"
        if self._positions:
            self._take(list(self._reader.read_to_end()))

    def _take(self, records: Sequence[ConsumedRecord]) -> None:
        self.index.take(records, {partition.partition for partition in self._positions})
        for record in records:
            self._positions[TopicPartition(record.topic, record.partition)] = record.offset + 1

    def _begin(self, sizes: dict[TopicPartition, tuple[int, int]]) -> None:
        """Start an empty index, and take the ends of the partitions."""
        assert self._reader is not None
        self.index.clear()
        self.newest.clear()
        self._positions = {partition: start for partition, (start, _) in sizes.items()}
        self._begun_at = dict(self._positions)
        self._goals = {partition: end for partition, (_, end) in sizes.items()}
        numbers = {partition.partition for partition in sizes}
        self._reader.go_to({name: max(start, end - _NEWEST) for name, (start, end) in sizes.items()})
        self.newest.take(self._reader.read_to_end() if sizes else (), numbers)
        self.has_newest = True
        self.built = self._how_far()

    def _how_far(self) -> Built:
        read = sum(min(self._positions[one], goal) - self._begun_at[one] for one, goal in self._goals.items())
        return Built(read, sum(goal - self._begun_at[one] for one, goal in self._goals.items()))
