"""Reads from the cluster what a group has not done of its topics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from ..kafka import (
    Cluster,
    KafkaAdminClient,
    OffsetAndMetadata,
    OffsetSpec,
    TopicPartition,
    connect_admin,
    partitions_of,
    patiently,
    stable_ends,
)
from . import commit_metadata


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition's log, and the group's commit; ``position`` is None if it has never committed."""

    start: int
    end: int
    position: int | None = None
    metadata: str = ""
    #: Where the first open transaction begins; None if none is open.
    stable_end: int | None = None

    @property
    def held_up(self) -> int:
        """Records from the beginning of an open transaction on, its own included."""
        if self.stable_end is None:
            return 0
        return max(0, self.end - max(self.stable_end, self.first_undone))

    @property
    def not_done(self) -> int:
        """Records that are not done, as far as the group has committed."""
        if self.position is None:
            return self.end - self.start
        progress = commit_metadata.decode(self.position, self.metadata)
        return self.in_hand + max(0, self.end - max(progress.end, self.start))

    @property
    def in_hand(self) -> int:
        """Jobs that were received and are not done."""
        if self.position is None:
            return 0
        progress = commit_metadata.decode(self.position, self.metadata)
        return sum(self.start <= offset < self.end for offset in progress.undone)

    @property
    def untrimmed(self) -> int:
        """Records below the committed position that are still in the log."""
        return 0 if self.position is None else max(0, min(self.position, self.end) - self.start)

    @property
    def first_undone(self) -> int:
        return max(self.start, self.position or 0)


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
        # The commits first: a job that is enqueued in between then counts as not done.
        committed = committed_by(self._admin, self._group)
        found = read_partitions(self._admin, self._topics, committed)
        return sum(partition.not_done for partition in found.values())


def committed_by(admin: KafkaAdminClient, group: str) -> Mapping[TopicPartition, OffsetAndMetadata]:
    """What a group has committed; nothing for one that does not exist. Raises kafka-python's errors."""
    found: Mapping[TopicPartition, OffsetAndMetadata] = admin.list_group_offsets(group).get(group, {})
    return found


def read_partitions(
    admin: KafkaAdminClient,
    topics: Iterable[str],
    committed: Mapping[TopicPartition, OffsetAndMetadata],
) -> dict[TopicPartition, Partition]:
    """The logs of the topics that exist, with the group's commits. Raises kafka-python's errors."""
    return with_commits(read_logs(admin, topics), committed)


def read_logs(
    admin: KafkaAdminClient, topics: Iterable[str], *, with_stable_ends: bool = False
) -> dict[TopicPartition, Partition]:
    """The logs of the topics that exist, as a group that has committed nothing. Raises kafka-python's errors.

    It takes three requests, however many topics there are; a fourth one for open transactions.
    """
    names = partitions_of(admin, topics)
    if not names:
        return {}
    starts = admin.list_partition_offsets(dict.fromkeys(names, OffsetSpec.EARLIEST))
    ends = admin.list_partition_offsets(dict.fromkeys(names, OffsetSpec.LATEST))
    # After the ends: no record that comes in between may look as if a transaction held it up.
    stable = stable_ends(admin, names) if with_stable_ends else {}
    return {
        name: Partition(
            starts[name].offset,
            end := ends[name].offset,
            stable_end=stable[name] if stable.get(name, end) < end else None,
        )
        for name in names
    }


def by_topic(logs: Mapping[TopicPartition, Partition]) -> dict[str, dict[TopicPartition, Partition]]:
    """The logs of each topic, in the order of its partitions."""
    found: dict[str, dict[TopicPartition, Partition]] = {}
    for name in sorted(logs):
        found.setdefault(name.topic, {})[name] = logs[name]
    return found


def with_commits(
    logs: Mapping[TopicPartition, Partition], committed: Mapping[TopicPartition, OffsetAndMetadata]
) -> dict[TopicPartition, Partition]:
    """The logs with what a group has committed."""
    found = {}
    for name, log in logs.items():
        position, metadata = _commit(committed.get(name))
        found[name] = replace(log, position=position, metadata=metadata)
    return found


def _commit(committed: OffsetAndMetadata | None) -> tuple[int | None, str]:
    if committed is None or committed.offset < 0:
        return None, ""
    return committed.offset, committed.metadata
