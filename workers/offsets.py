"""Which offsets of a partition are done, and how far its group may commit. Pure: no I/O, no clock.

Kafka keeps one number per partition and group: everything below it is done. Jobs finish in any order,
so the committable position is the lowest offset that was received and is not done, never "the highest
seen" (which loses jobs at a crash).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

P = TypeVar("P", bound=Hashable)


class Ticket(NamedTuple, Generic[P]):
    """One received offset; handed back when its job is done. ``epoch`` numbers the partition's assignment."""

    partition: P
    epoch: int
    offset: int


class PartitionLedger:
    """The offsets of one assignment of one partition.

    Offsets are received in rising order; those that the log skips (compaction, transaction markers)
    count as done.
    """

    __slots__ = ("_open", "_order", "epoch", "next_offset")

    def __init__(self, epoch: int, position: int) -> None:
        self.epoch = epoch
        self.next_offset = position
        self._open: set[int] = set()
        self._order: deque[int] = deque()

    def receive(self, offset: int) -> None:
        """Note that ``offset`` was received and is not done. Raises ValueError if it was passed already."""
        if offset < self.next_offset:
            raise ValueError(f"offset {offset} received after {self.next_offset - 1}")
        self._open.add(offset)
        self._order.append(offset)
        self.next_offset = offset + 1

    def done(self, offset: int) -> bool:
        """Note that ``offset`` is done; False where it was not open (a repeated or unknown ack)."""
        if offset not in self._open:
            return False
        self._open.remove(offset)
        while self._order and self._order[0] not in self._open:
            self._order.popleft()
        return True

    @property
    def position(self) -> int:
        """The offset to commit: everything below it is done."""
        return self._order[0] if self._order else self.next_offset

    @property
    def open_count(self) -> int:
        return len(self._open)


@dataclass(slots=True)
class _Entry:
    ledger: PartitionLedger
    committed: int


class Ledger(Generic[P]):
    """The ledgers of all partitions that are assigned to one consumer. Owned by one thread."""

    def __init__(self, epochs: Iterator[int]) -> None:
        """``epochs`` never repeats a number while tickets of an earlier ledger are about."""
        self._entries: dict[P, _Entry] = {}
        self._epochs = epochs

    def assign(self, partition: P, position: int) -> int:
        """Start an assignment of ``partition``, whose next record is at ``position``; returns its epoch."""
        epoch = next(self._epochs)
        self._entries[partition] = _Entry(PartitionLedger(epoch, position), position)
        return epoch

    def revoke(self, partition: P) -> None:
        """Forget ``partition``; tickets of it become void. Unknown partitions are ignored."""
        self._entries.pop(partition, None)

    def __contains__(self, partition: object) -> bool:
        return partition in self._entries

    def receive(self, partition: P, offset: int) -> Ticket[P]:
        """Note a received record of an assigned partition; its ticket is handed back to :meth:`done`."""
        ledger = self._entries[partition].ledger
        ledger.receive(offset)
        return Ticket(partition, ledger.epoch, offset)

    def is_current(self, ticket: Ticket[P]) -> bool:
        """Whether the ticket's partition is still in the assignment that it came from."""
        entry = self._entries.get(ticket.partition)
        return entry is not None and entry.ledger.epoch == ticket.epoch

    def done(self, ticket: Ticket[P]) -> bool:
        """Note that a job is done; False for a void ticket (older assignment) or one handed in before."""
        return self.is_current(ticket) and self._entries[ticket.partition].ledger.done(ticket.offset)

    def uncommitted(self) -> dict[P, int]:
        """Positions that have moved since they were last :meth:`committed`."""
        return {
            partition: entry.ledger.position
            for partition, entry in self._entries.items()
            if entry.ledger.position != entry.committed
        }

    def committed(self, positions: dict[P, int]) -> None:
        """Note that Kafka has stored ``positions``."""
        for partition, position in positions.items():
            entry = self._entries.get(partition)
            if entry is not None:
                entry.committed = max(entry.committed, position)
