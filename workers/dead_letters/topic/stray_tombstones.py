"""Tombstones in a partition that is not their key's, as clients with another partitioner write them. Pure.

Such a tombstone resolves its letter, wherever that is, if it is not older. But compaction goes partition by
partition: it never removes that letter, and it removes the tombstone after a while (``delete.retention.ms``,
a day by default). So a command that meets such a letter resolves it once more, beside it.
"""

from __future__ import annotations

from collections.abc import Set

from ...kafka import partition_of
from ...records.consumed import ConsumedRecord
from ..keys import id_of

#: The times of stray tombstones by key: the last one of each, in ms since 1970. Some 200 bytes each.
Strays = dict[bytes, int]


def note_stray(tombstone: ConsumedRecord, partitions: Set[int], strays: Strays) -> None:
    """Add a tombstone that resolves nothing in its partition, if it is in a wrong one.

    ``partitions`` are all of the topic's. All generations of an id belong in one partition.
    """
    key = tombstone.key or b""
    if partition_of(set(partitions), id_of(key)) != tombstone.partition:
        strays[key] = max(tombstone.timestamp, strays.get(key, -1))


def latest(*found: Strays) -> Strays:
    """All of them together; of a key that several have, the latest time."""
    together: Strays = {}
    for strays in found:
        for key, ended_at in strays.items():
            together[key] = max(ended_at, together.get(key, -1))
    return together


def is_ended(letter: ConsumedRecord, strays: Strays) -> bool:
    """Whether a stray tombstone has resolved this record of a letter."""
    ended_at = strays.get(letter.key or b"") if strays else None
    return ended_at is not None and letter.timestamp <= ended_at
