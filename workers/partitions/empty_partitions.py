"""Commits for the partitions of an assignment that have had no record. Pure: no I/O.

Otherwise such a partition would count as not done for ever, for anybody who looks at the group, and other
processes would not know whose it is: they pass jobs on to one that has nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..kafka import OffsetAndMetadata, ReadUpTo, TopicPartition
from . import commit_metadata
from .crash_counts import CrashCounts
from .ledger import Progress


class EmptyPartitions:
    """Remembers what was committed for them. For the consuming thread."""

    def __init__(self, owner: str) -> None:
        """``owner`` is the name of the process; empty if nobody asks for it."""
        self._owner = CrashCounts(owner=owner)
        #: The end of each one's log that was committed.
        self._ends: dict[TopicPartition, int] = {}

    def to_commit(
        self, read: Mapping[TopicPartition, ReadUpTo], with_records: Iterable[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """The commits to send, by how far each partition was read."""
        without = read.keys() - with_records
        ends = {one: read[one].offset for one in without if read[one].is_end}
        moved = {one: end for one, end in ends.items() if self._ends.get(one) != end}
        self._ends = ends
        return {
            one: OffsetAndMetadata(
                end, commit_metadata.encode(Progress((), end), self._owner), read[one].leader_epoch
            )
            for one, end in moved.items()
        }

    def commit_again(self) -> None:
        """Note that the last commit may not have come through."""
        self._ends = {}
