"""Reads a dead-letter topic, in bounded memory however much it holds.

Compaction is lazy, so a partition may hold a key many times, and letters that a tombstone has resolved. A
first pass finds the last record of each key, a second one yields those. If there are many keys, the first
pass reads the partition several times, each time for one part of the keys.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from ..kafka import Cluster, TopicPartition
from ..kafka.topic_reader import TopicReader
from ..records.consumed import ConsumedRecord
from .keys import id_of, older_keys
from .letter import DeadLetter
from .letter_record import decode

T = TypeVar("T")

#: Called with how many records were read, and how many there are to read.
Advance = Callable[[int, int], object]

#: Keys that one pass keeps in memory: some 200 bytes each.
_KEYS_AT_ONCE = 200_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An unresolved dead letter, and the record that it was read from.

    ``older``: keys of generations before that nobody has resolved; they end with this one.
    """

    letter: DeadLetter
    record: ConsumedRecord
    older: tuple[bytes, ...] = ()


def unresolved(cluster: Cluster, topic: str, progress: Advance = lambda *_: None) -> Iterator[Entry]:
    """The dead letters that the topic holds now and that no tombstone has resolved, each once.

    Records of others are left out. Raises KafkaUnreachable or NotAuthorized.
    """
    with _Reading(cluster, topic, progress) as reading:
        for partition, (start, end) in reading.sizes.items():
            live, older = _Offsets(start, end), {}
            for last in reading.last_of_each_key(partition, lambda record: record.offset):
                for key, offset in last.items():
                    live.add(offset)
                    if superseded := tuple(one for one in older_keys(key) if one in last):
                        older[offset] = superseded
                for key in {key for keys in older.values() for key in keys} & last.keys():
                    live.remove(last[key])
            for record in reading.records(partition) if live.count else ():
                letter = _decoded(record) if record.offset in live else None
                if letter is not None:
                    yield Entry(letter, record, older.get(record.offset, ()))


class Counts:
    """Counts the unresolved dead letters of each queue. For one thread.

    A second count reads only the partitions that have changed since the first.
    """

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._known: dict[tuple[TopicPartition, tuple[int, int]], Counter[str]] = {}

    def count(self, progress: Advance = lambda *_: None) -> Counter[str]:
        """Dead letters by queue; those of an unknown queue count under "".

        Raises KafkaUnreachable or NotAuthorized.
        """
        with _Reading(self._cluster, self._topic, progress, looks=1) as reading:
            counts = {}
            for place in reading.sizes.items():
                known = self._known.get(place)
                counts[place] = self._count(reading, place[0]) if known is None else known
            self._known = counts
        return sum(counts.values(), Counter())

    def _count(self, reading: _Reading, partition: TopicPartition) -> Counter[str]:
        queues: dict[bytes, str | None] = {}

        def queue_of(record: ConsumedRecord) -> str | None:
            headers = dict(record.headers)
            name = headers.get("queue") or b"" if headers.get("reason") else None
            return None if name is None else queues.setdefault(name, name.decode(errors="replace"))

        found: Counter[str] = Counter()
        for last in reading.last_of_each_key(partition, queue_of):
            superseded = {one for key in last for one in older_keys(key)}
            found.update(queue for key, queue in last.items() if queue is not None and key not in superseded)
        return found


class _Reading:
    """One reading of all partitions of a topic; a context manager. ``looks``: passes over each partition."""

    def __init__(self, cluster: Cluster, topic: str, progress: Advance, *, looks: int = 2) -> None:
        self._reader = TopicReader(cluster, topic)
        self._progress = progress
        self._looks = looks
        self._read = 0
        self.sizes: Mapping[TopicPartition, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        try:
            self._reader.open()
            self.sizes = self._reader.sizes()
        except BaseException:
            self._reader.close()
            raise
        self._to_read = sum(
            (end - start) * (self._looks - 1 + _parts(end - start)) for start, end in self.sizes.values()
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._reader.close()

    def records(self, partition: TopicPartition) -> Iterator[ConsumedRecord]:
        """The records up to the end that the partition had at first."""
        end = self.sizes[partition][1]
        for records in self._reader.read_partition(partition, end):
            self._read += len(records)
            self._progress(self._read, max(self._read, self._to_read))
            for record in records:
                if record.offset < end:
                    yield record

    def last_of_each_key(
        self, partition: TopicPartition, what: Callable[[ConsumedRecord], T]
    ) -> Iterator[dict[bytes, T]]:
        """``what`` of each key's last record, in parts; all generations of an id are in one part."""
        start, end = self.sizes[partition]
        parts = _parts(end - start)
        for part in range(parts if end > start else 0):
            last: dict[bytes, T] = {}
            for record in self.records(partition):
                key = record.key
                if key is None or (parts > 1 and zlib.crc32(id_of(key)) % parts != part):
                    continue  # all of ours have a key
                if record.value is not None:
                    last[key] = what(record)
                elif key in last:
                    del last[key]
            yield last


class _Offsets:
    """A set of offsets of one partition: a bit for each."""

    def __init__(self, start: int, end: int) -> None:
        self._start = start
        self._bits = bytearray((end - start + 7) // 8)
        self.count = 0

    def add(self, offset: int) -> None:
        index = offset - self._start
        self._bits[index >> 3] |= 1 << (index & 7)
        self.count += 1

    def remove(self, offset: int) -> None:
        index = offset - self._start
        self._bits[index >> 3] &= ~(1 << (index & 7))
        self.count -= 1

    def __contains__(self, offset: int) -> bool:
        index = offset - self._start
        return bool(self._bits[index >> 3] >> (index & 7) & 1)


def _parts(size: int) -> int:
    return max(1, -(-size // _KEYS_AT_ONCE))


def _decoded(record: ConsumedRecord) -> DeadLetter | None:
    try:
        return decode(record.value or b"", record.headers)
    except (KeyError, ValueError):
        return None
