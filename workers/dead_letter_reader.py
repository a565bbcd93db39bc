"""What is in a dead-letter topic."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from . import dead_letters
from .client import Cluster
from .dead_letters import DeadLetter
from .topic_reader import TopicReader


def read(cluster: Cluster, topic: str) -> Iterator[tuple[bytes, DeadLetter | None]]:
    """The key and the dead letter of each record that the topic holds now; None for a resolved one.

    Compaction is lazy: a key may come several times, and the last time counts. Records that are not dead
    letters are left out. Raises KafkaUnreachable or NotAuthorized.
    """
    reader = TopicReader(cluster, topic)
    try:
        reader.open()
        for record in reader.read_to_end():
            if record.value is None:
                yield record.key, None
                continue
            try:
                yield record.key, dead_letters.decode(record.value, record.headers)
            except (KeyError, ValueError):
                continue
    finally:
        reader.close()


def ids_of(cluster: Cluster, topic: str, queues: Collection[str]) -> list[bytes]:
    """Keys of the unresolved dead letters of some queues."""
    found: dict[bytes, None] = {}
    for key, letter in read(cluster, topic):
        if letter is not None and letter.queue in queues:
            found[key] = None
        else:
            found.pop(key, None)
    return list(found)
