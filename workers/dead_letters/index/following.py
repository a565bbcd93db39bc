"""Builds an index of dead letters from their topic, and keeps it up to date. For one thread.

At first it takes the ends of the partitions alone, so that the newest letters can be shown at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self
from uuid import UUID

from ...kafka import Cluster, TopicPartition
from ...kafka.topic_reader import TopicReader
from ...records.consumed import ConsumedRecord
from .table import Index

#: How many records of each partition's end are taken at first.
_NEWEST = 100
#: How many records are taken in at once; whoever asks the index waits for so many at most.
_AT_ONCE = 500
#: An index that is behind by this many records at most is brought up to date before it is used.
_FEW = 1_000
#: An index that was up to date longer ago is built anew. Kafka removes tombstones `delete.retention.ms` after
#: they were written, which is a day: letters that were resolved meanwhile would stay.
_OLD_S = 6 * 60 * 60.0
#: After how long the topic is looked at anew: one that does not exist yet, and one that may get partitions.
_MISSING_S, _AGAIN_S = 2.0, 30.0


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

    def __init__(self, cluster: Cluster, topic: str, *, clock: Callable[[], float] = time.time) -> None:
        """``clock`` counts seconds, also those in which the machine sleeps."""
        self._cluster = cluster
        self._topic = topic
        self._clock = clock
        self._reader: TopicReader | None = None
        self._opened_at = 0.0
        #: When the index last had all that was in the topic, once it is complete; None if it must be begun.
        self.right_at: float | None = None
        self._topic_id: UUID | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._begun_at: dict[TopicPartition, int] = {}
        self._goals: dict[TopicPartition, int] = {}
        self.index = Index()
        #: The newest letters, of the ends of the partitions alone.
        self.newest = Index()
        self.has_newest = False
        self.built = Built(0, 1)

    def __enter__(self) -> Self:
        """Connect, and go on where the index ends, or begin anew if it cannot be right any more.

        Raises KafkaUnreachable or NotAuthorized.
        """
        self._reader = TopicReader(self._cluster, self._topic)
        try:
            self._reader.open()
            self._go_on(self._reader)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self._opened_at = self._clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def close(self) -> None:
        """Forget the index; it cannot be entered again."""
        self.index.close()
        self.newest.close()

    @property
    def has_topic(self) -> bool:
        """Whether the topic existed when it was last looked at."""
        return bool(self._positions)

    def step(self, timeout_ms: int) -> bool:
        """Take in the records that come within this time; whether any came.

        Now and then it connects anew, to find a topic or partitions that were made meanwhile. Raises
        KafkaUnreachable or NotAuthorized. After an error of :meth:`catch_up` it begins anew.
        """
        assert self._reader is not None, "not entered"
        is_due = self.built.is_complete and self._is_over(_AGAIN_S if self.has_topic else _MISSING_S)
        if is_due or self.right_at is None:
            self.__exit__(None, None, None)
            self.__enter__()
        if not self._positions:
            return False
        now = self._clock()
        records = self._reader.read(timeout_ms)
        self._take(records)
        if not self.built.is_complete:
            self._note_progress(self._reader)
        elif not records:
            self.right_at = now
        return bool(records)

    def catch_up(self) -> None:
        """Take in everything that is in the topic by now, once the index is complete.

        Raises KafkaUnreachable.
        """
        assert self._reader is not None, "not entered"
        if self._positions and self.built.is_complete:
            self._take_to_end(self._reader)

    def _is_over(self, seconds: float) -> bool:
        # A clock that was set back must not put it off.
        return not 0 <= self._clock() - self._opened_at < seconds

    def _go_on(self, reader: TopicReader) -> None:
        now = self._clock()
        sizes, topic_id = reader.sizes(), reader.topic_id(self._topic)
        if topic_id not in {None, self._topic_id} or not self._fits(sizes):
            self._begin(sizes)
            self._topic_id = topic_id
        self._goals = {partition: end for partition, (_, end) in sizes.items()}
        is_near = sum(end - self._positions[one] for one, end in self._goals.items()) <= _FEW
        if not (self.has_newest and is_near):
            self._take_newest(reader, sizes)
        reader.go_to(self._positions)
        if is_near and sizes:
            self._take_to_end(reader)
        elif not sizes:
            self.right_at = now
        self._note_progress(reader)

    def _fits(self, sizes: dict[TopicPartition, tuple[int, int]]) -> bool:
        """Whether the index is right for a topic of these sizes as far as it was read."""
        return (
            self.right_at is not None
            and 0 <= self._clock() - self.right_at < _OLD_S
            and sizes.keys() == self._positions.keys()
            and all(start <= self._positions[one] <= end for one, (start, end) in sizes.items())
        )

    def _begin(self, sizes: dict[TopicPartition, tuple[int, int]]) -> None:
        """Start an empty index."""
        self.has_newest = False
        self.built = Built(0, 1)
        self.index.clear()
        self._positions = {partition: start for partition, (start, _) in sizes.items()}
        self._begun_at = dict(self._positions)
        self.right_at = self._clock()

    def _take_newest(self, reader: TopicReader, sizes: dict[TopicPartition, tuple[int, int]]) -> None:
        """Take the ends of the partitions."""
        self.newest.clear()
        numbers = {partition.partition for partition in sizes}
        reader.go_to({name: max(start, end - _NEWEST) for name, (start, end) in sizes.items()})
        for records in _portions(reader) if sizes else ():
            self.newest.take(records, numbers)
        self.has_newest = True

    def _take_to_end(self, reader: TopicReader) -> None:
        now = self._clock()
        try:
            for records in _portions(reader):
                self._take(records)
        except BaseException:
            reader.go_to(self._positions)  # it may have read what is in no whole portion
            raise
        self.right_at = now

    def _take(self, records: Sequence[ConsumedRecord]) -> None:
        try:
            self.index.take(records, {partition.partition for partition in self._positions})
        except BaseException:
            self.right_at, self.built = None, Built(0, 1)  # it is empty now
            raise
        for record in records:
            self._positions[TopicPartition(record.topic, record.partition)] = record.offset + 1

    def _note_progress(self, reader: TopicReader) -> None:
        """Count what was read, also where the log has gaps."""
        for partition, position in reader.positions().items() if self._positions else ():
            self._positions[partition] = max(position, self._positions[partition])
        read = sum(min(self._positions[one], goal) - self._begun_at[one] for one, goal in self._goals.items())
        total = sum(goal - self._begun_at[one] for one, goal in self._goals.items())
        self.built = Built(read, total)


def _portions(reader: TopicReader) -> Iterator[list[ConsumedRecord]]:
    """The records up to the end, some at a time."""
    records = reader.read_to_end()
    while portion := list(islice(records, _AT_ONCE)):
        yield portion
