"""What is in a dead-letter topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from . import dead_letters
from .client import Cluster
from .dead_letters import DeadLetter
from .topic_reader import TopicReader

#: Called with how many records were read since the last call.
Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Entry:
    """An unresolved dead letter. ``record`` is kafka-python's."""

    letter: DeadLetter
    record: Any


def unresolved(cluster: Cluster, topic: str, progress: Progress = lambda _: None) -> Iterator[Entry]:
    """The dead letters that the topic holds now and that no tombstone has resolved.

    In memory is one partition's index of keys, some 200 bytes a dead letter, and no dead letter. Records that
    are none are left out. Raises KafkaUnreachable or NotAuthorized.
    """
    reader = TopicReader(cluster, topic)
    try:
        reader.open()
        for partition in reader.partitions():
            newest: dict[bytes, int] = {}
            for record in reader.read_partition(partition):
                progress(1)
                if record.value is None:
                    newest.pop(record.key, None)
                else:
                    newest[record.key] = record.offset
            wanted = set(newest.values())
            for record in reader.read_partition(partition) if wanted else ():
                letter = _decoded(record) if record.offset in wanted else None
                if letter is not None:
                    yield Entry(letter, record)
    finally:
        reader.close()


def read(cluster: Cluster, topic: str) -> Iterator[tuple[bytes, DeadLetter | None]]:
    """The key and the dead letter of each record that the topic holds now; None for a resolved one.

    Compaction is lazy: a key may come several times, and the last time counts. Records that are not dead
    letters are left out. Raises KafkaUnreachable or NotAuthorized.
    """
    reader = TopicReader(cluster, topic)
    try:
        reader.open()
        for record in reader.read_to_end():
            letter = None if record.value is None else _decoded(record)
            if record.value is None or letter is not None:
                yield record.key, letter
    finally:
        reader.close()


def ids_of(cluster: Cluster, topic: str, queues: Collection[str]) -> list[bytes]:
    """Keys of the unresolved dead letters of some queues."""
    return [entry.record.key for entry in unresolved(cluster, topic) if entry.letter.queue in queues]


class Tally:
    """Counts the unresolved dead letters of each queue, reading only what came since the last count.

    A context manager, for one thread. In memory are some 100 bytes for each dead letter.
    """

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._reader = TopicReader(cluster, topic)
        #: Queue by the hash of the key.
        self._queues: dict[int, str] = {}
        self._names: dict[bytes, str] = {}

    def open(self) -> None:
        """Connect. Raises KafkaUnreachable."""
        self._reader.open()

    def close(self) -> None:
        self._reader.close()

    def count(self) -> Counter[str]:
        """Dead letters by queue; "" is that of those whose queue is not known. Raises KafkaUnreachable."""
        for record in self._reader.read_to_end():
            key = hash(record.key)
            if record.value is None:
                self._queues.pop(key, None)
            else:
                name = next((value for name, value in record.headers if name == "queue"), b"")
                self._queues[key] = self._names.setdefault(name, name.decode(errors="replace"))
        return Counter(self._queues.values())


def _decoded(record: Any) -> DeadLetter | None:
    try:
        return dead_letters.decode(record.value, record.headers)
    except (KeyError, ValueError):
        return None
