"""Notes which offsets of a partition are done, and how far its group may commit. Pure: no I/O, no clock.

Kafka keeps one number per partition and group: everything below it is done. Jobs finish in any order, so the
position to commit is the lowest offset that was received and is not done, never "the highest seen", which
loses jobs at a crash. The commit's metadata says what is done above it::

    offset     40  41  42  43  44  45  46  47 ...
               ✓   ✓   ·   ✓   ·   ✓   ✓   not received yet
                       │                   │
               position = 42            end = 47        undone = 42, 44

    committed: position 42, metadata "undone 42 and 44, all others below 47 done"

The next owner starts at 42, runs 42 and 44, and skips 43, 45 and 46. Only if the metadata would be too long
does it name fewer offsets, and then some jobs are repeated (see `commit_metadata`). A job is never taken as
done that was not acked.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition is: everything below ``end`` is done except the offsets in ``undone``.

    ``undone`` is sorted. Nothing is known of ``end`` and above.
    """

    undone: tuple[int, ...]
    end: int

    @property
    def position(self) -> int:
        """The offset to commit: everything below it is done."""
        return self.undone[0] if self.undone else self.end


class Ledger:
    """The offsets of one assignment of one partition. Owned by one thread.

    Every offset below the next one is either open or done; those that the log skips (compaction, transaction
    markers) count as done. So it holds only the open offsets, however many are done.
    """

    __slots__ = ("_inherited", "_inherited_undone", "_last_done", "_open", "next_offset")

    def __init__(self, inherited: Progress) -> None:
        """Start where the partition's last owner stopped; receive from ``inherited.position`` on."""
        self._inherited = inherited
        self._inherited_undone = frozenset(inherited.undone)
        #: The first offset that was not received yet.
        self.next_offset = inherited.position
        self._last_done = inherited.position - 1
        #: A dict, because it keeps the order in which they came, which is rising.
        self._open: dict[int, None] = {}

    def receive(self, offset: int) -> bool:
        """Note a received offset; False if an earlier owner has done it already.

        Offsets come in rising order. Raises ValueError for one that does not.
        """
        if offset < self.next_offset:
            raise ValueError(f"offset {offset} received after {self.next_offset - 1}")
        if offset > self.next_offset:
            self._last_done = offset - 1
        self.next_offset = offset + 1
        if offset < self._inherited.end and self.was_done(offset):
            self._last_done = offset
            return False
        self._open[offset] = None
        return True

    def skip_to(self, offset: int) -> None:
        """Note that the log has no record below ``offset`` that was not received."""
        if offset > self.next_offset:
            self.next_offset = offset
            self._last_done = offset - 1

    def was_done(self, offset: int) -> bool:
        """Whether an earlier owner has done ``offset``."""
        return offset < self._inherited.end and offset not in self._inherited_undone

    def is_open(self, offset: int) -> bool:
        """Whether ``offset`` was received and is not done."""
        return offset in self._open

    def done(self, offset: int) -> bool:
        """Note that ``offset`` is done; False if it was not open (a repeated or unknown ack)."""
        if offset not in self._open:
            return False
        del self._open[offset]
        self._last_done = max(self._last_done, offset)
        return True

    @property
    def open_count(self) -> int:
        return len(self._open)

    def progress(self, *, brief: bool = False) -> Progress:
        """The progress, including what earlier owners have done and this one has not received yet.

        ``brief``: leaves out the open offsets above the last one that is done, as if not received yet.
        """
        if self.next_offset < self._inherited.end:
            ahead = (offset for offset in self._inherited.undone if offset >= self.next_offset)
            return Progress((*self._open, *ahead), self._inherited.end)
        if not brief:
            return Progress(tuple(self._open), self.next_offset)
        end = self._last_done + 1
        return Progress(tuple(takewhile(end.__gt__, self._open)), end)
