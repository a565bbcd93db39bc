"""Reads from the cluster how much of a topic its group has not done."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from ..kafka import Cluster, OffsetSpec, connect_admin, partitions_of, patiently
from . import commit_metadata


class LagReader:
    """Reads how many records of its topics a group has not committed. Connects on entry; for one thread."""

    def __init__(self, cluster: Cluster, topics: Iterable[str], group: str) -> None:
        self._cluster = cluster
        self._topics = list(topics)
        self._group = group
        self._admin: Any = None

    def __enter__(self) -> Self:
        self._admin = connect_admin(self._cluster)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._admin.close()

    def not_done(self) -> int:
        """Records that are not done, as far as the group has committed. Raises KafkaUnreachable."""
        return patiently(self._cluster, f"read the lag of group {self._group}", self._read)

    def written(self) -> int:
        """Records ever written, those that were deleted since included. Raises KafkaUnreachable."""
        return patiently(self._cluster, f"read the ends of {', '.join(self._topics)}", self._ends)

    def _ends(self) -> int:
        partitions = partitions_of(self._admin, self._topics)
        ends = self._admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        return sum(end.offset for end in ends.values())

    def _read(self) -> int:
        # The committed positions first: a job that is enqueued in between then counts as not done.
        committed = self._admin.list_group_offsets(self._group)[self._group]
        partitions = partitions_of(self._admin, self._topics)
        starts = self._admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
        ends = self._admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        total = 0
        for partition in partitions:
            start, end = starts[partition].offset, ends[partition].offset
            known = committed.get(partition)
            total += not_done(known.offset, known.metadata, start, end) if known else end - start
        return total


def not_done(position: int, metadata: str, log_start: int, log_end: int) -> int:
    """Records of one partition that are not done: between its log's start and end, by its group's commit."""
    progress = commit_metadata.decode(position, metadata)
    undone_below = sum(log_start <= offset < log_end for offset in progress.undone)
    return undone_below + max(0, log_end - max(progress.end, log_start))
