"""Reads a dead-letter topic, in bounded memory however much it holds.

Compaction is lazy, so a partition may hold a key many times, and letters that a tombstone has resolved. A
first pass finds the last record of each key, a second one yields those. If there are many keys, the first
pass reads a partition several times, each time for one part of the keys. It goes over all partitions before
the second one begins, as a stray tombstone may be in any.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from ..kafka import Cluster, TopicPartition
from ..kafka.topic_reader import TopicReader
from ..records.consumed import ConsumedRecord
from .keys import id_of, older_keys
from .letter import DeadLetter
from .topic.letter_record import decode
from .topic.stray_tombstones import Strays, is_ended, latest, note_stray

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


def unresolved(
    cluster: Cluster,
    topic: str,
    progress: Advance = lambda *_: None,
    ended_elsewhere: Callable[[Entry], object] = lambda _: None,
) -> Iterator[Entry]:
    """The dead letters that the topic holds now and that no tombstone has resolved, each once.

    ``ended_elsewhere`` gets those that only a stray tombstone has resolved, see :mod:`.stray_tombstones`.
    Records of others are left out. Raises KafkaUnreachable or NotAuthorized.
    """
    with _Reading(cluster, topic, progress) as reading:
        strays: Strays = {}
        found = {partition: _live(reading, partition, strays) for partition in reading.sizes}
        for partition, (live, older) in found.items():
            for record in reading.records(partition) if live.count else ():
                letter = _decoded(record) if record.offset in live else None
                if letter is None:
                    continue
                entry = Entry(letter, record, older.get(record.offset, ()))
                if is_ended(record, strays):
                    ended_elsewhere(entry)
                else:
                    yield entry


def _live(
    reading: _Reading, partition: TopicPartition, strays: Strays
) -> tuple[_Offsets, dict[int, tuple[bytes, ...]]]:
    """The offsets of a partition's letters that count, and for some the keys of their older generations.

    Adds the partition's stray tombstones to ``strays``.
    """
    live = _Offsets(*reading.sizes[partition])
    older: dict[int, tuple[bytes, ...]] = {}
    for last in reading.last_of_each_key(partition, lambda record: record.offset, strays):
        for key, offset in last.items():
            live.add(offset)
            if superseded := tuple(one for one in older_keys(key) if one in last):
                older[offset] = superseded
        for key in {key for keys in older.values() for key in keys} & last.keys():
            live.remove(last[key])
    return live, older


class _Count(NamedTuple):
    """The letters of one partition by queue, its stray tombstones, and those of all partitions then."""

    queues: Counter[str]
    strays: Strays
    known_strays: Strays


class Counts:
    """Counts the unresolved dead letters of each queue. For one thread.

    A second count reads only the partitions that have changed since the first, unless a stray tombstone came.
    """

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._known: dict[tuple[TopicPartition, tuple[int, int]], _Count] = {}

    def count(self, progress: Advance = lambda *_: None) -> Counter[str]:
        """Dead letters by queue; those of an unknown queue count under "".

        Raises KafkaUnreachable or NotAuthorized.
        """
        with _Reading(self._cluster, self._topic, progress, looks=1) as reading:
            places = list(reading.sizes.items())
            known = {place: self._known[place] for place in places if place in self._known}
            for place in places:
                if place not in known:
                    known[place] = self._count(reading, place[0], _strays_of(known.values()))
            strays = _strays_of(known.values())
            for place in places:  # a stray tombstone may have been found after its letter was counted
                if known[place].known_strays != strays:
                    known[place] = self._count(reading, place[0], strays)
            self._known = known
        return sum((count.queues for count in known.values()), Counter())

    def _count(self, reading: _Reading, partition: TopicPartition, strays: Strays) -> _Count:
        names: dict[bytes, str] = {}

        def queue_of(record: ConsumedRecord) -> str | None:
            headers = dict(record.headers)
            if not headers.get("reason") or is_ended(record, strays):
                return None
            name = headers.get("queue") or b""
            return names.setdefault(name, name.decode(errors="replace"))

        queues: Counter[str] = Counter()
        own: Strays = {}
        for last in reading.last_of_each_key(partition, queue_of, own):
            superseded = {one for key in last for one in older_keys(key)}
            queues.update(queue for key, queue in last.items() if queue is not None and key not in superseded)
        return _Count(queues, own, latest(strays, own))


def _strays_of(counts: Iterable[_Count]) -> Strays:
    return latest(*(count.strays for count in counts))


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
            self._partitions = {partition.partition for partition in self.sizes}
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
        self, partition: TopicPartition, what: Callable[[ConsumedRecord], T], strays: Strays
    ) -> Iterator[dict[bytes, T]]:
        """``what`` of each key's last record, in parts; all generations of an id are in one part.

        Adds the partition's stray tombstones to ``strays``.
        """
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
                else:
                    note_stray(record, self._partitions, strays)
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
