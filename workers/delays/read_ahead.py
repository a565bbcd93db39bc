"""Keeps the records that a mover has read before their time, the first due first, and failed ones."""

from __future__ import annotations

import heapq
import itertools
from typing import NamedTuple

from ..partitions.owned_partition import OwnedPartition
from ..records.consumed import ConsumedRecord

#: How many bytes may be read ahead. Beyond that no more is read: memory stays bounded, and jobs may be late.
MAX_AHEAD_BYTES = 96 * 1024 * 1024
#: About how many bytes Python needs for a record besides its key and value.
_RECORD_OVERHEAD_BYTES = 1_000


class Hop:
    """A record on its way out of its tier.

    It keeps nothing that can be read from the record again: there are many hops, and each further object
    that one keeps makes Python's garbage collector stop everything for longer.
    """

    __slots__ = ("owned", "record", "started")

    def __init__(self, owned: OwnedPartition, record: ConsumedRecord) -> None:
        self.owned = owned
        self.record = record
        #: Whether the record was produced; it may not be confirmed yet.
        self.started = False

    @property
    def size(self) -> int:
        return _RECORD_OVERHEAD_BYTES + len(self.record.value or b"") + len(self.record.key or b"")


class Moved(NamedTuple):
    """Posted to a mover's inbox when a hop is confirmed, or has failed."""

    hop: Hop
    error: BaseException | None


class ReadAhead:
    """A heap of hops that knows how much memory they take. For one thread."""

    def __init__(self, max_bytes: int = MAX_AHEAD_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._heap: list[tuple[int, int, Hop]] = []
        self._numbers = itertools.count()
        self._full = False

    def push(self, hop: Hop, at_ms: int) -> None:
        """Keep a hop until ``at_ms``."""
        self._bytes += hop.size
        heapq.heappush(self._heap, (at_ms, next(self._numbers), hop))

    def pop_due(self, now_ms: int) -> Hop | None:
        """Take the hop that is due first; None if none is due."""
        if not self._heap or self._heap[0][0] > now_ms:
            return None
        hop = heapq.heappop(self._heap)[2]
        self._bytes -= hop.size
        return hop

    def next_at_ms(self) -> int | None:
        """When the first hop is due; None if there is none."""
        return self._heap[0][0] if self._heap else None

    def has_room(self) -> bool:
        """Whether less than half of the limit is in use."""
        return self._bytes < self._max_bytes // 2

    def is_full(self) -> bool:
        """Whether no more should be read: from the limit on, until half of it is free again."""
        self._full = self._bytes > (self._max_bytes // 2 if self._full else self._max_bytes)
        return self._full
