"""Whose turn it is: the partitions with fetched records, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ..partitions.owned_partition import OwnedPartition


class Turns:
    """The partitions that have records to hand out, in the order of their turns. For the consuming thread.

    Iterating gives each a look. Who stops there leaves the turn with that partition; one that was looked at
    and passed over goes to the end, or leaves if it has no more records.
    """

    def __init__(self) -> None:
        self._ready: deque[OwnedPartition] = deque()

    def add(self, owned: OwnedPartition) -> None:
        """Give a partition its turn after the others, if it has records and waits for none yet."""
        if owned.buffer and owned not in self._ready:
            self._ready.append(owned)

    def __iter__(self) -> Iterator[OwnedPartition]:
        for _ in range(len(self._ready)):
            owned = self._ready[0]
            yield owned
            self._ready.popleft()
            if owned.buffer:
                self._ready.append(owned)
