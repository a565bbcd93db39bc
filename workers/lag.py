"""How much of a topic its group has not done, as the cluster sees it; and dropping all of it."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from .client import Cluster, OffsetSpec, TopicPartition, connect_admin, patiently


class LagReader:
    """Reads how many records of a topic a group has not committed. Connects on entry; for one thread."""

    def __init__(self, cluster: Cluster, topic: str, group: str) -> None:
        self._cluster = cluster
        self._topic = topic
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
        """Records at or above the group's committed position. Raises KafkaUnreachable."""
        return patiently(self._cluster, f"read the lag of group {self._group}", self._read)

    def _read(self) -> int:
        # The committed positions first: what is enqueued in between then counts as not done.
        committed = self._admin.list_group_offsets(self._group)[self._group]
        partitions = _partitions(self._admin, [self._topic])
        starts = self._admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
        ends = self._admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        total = 0
        for partition in partitions:
            position = committed[partition].offset if partition in committed else 0
            total += max(0, ends[partition].offset - max(position, starts[partition].offset))
        return total


def delete_all_records(cluster: Cluster, topics: Iterable[str]) -> None:
    """Delete all records that the topics hold now. Raises KafkaUnreachable or NotAuthorized."""
    names = list(topics)

    def delete() -> None:
        partitions = _partitions(admin, names)
        ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        filled = {partition: end.offset for partition, end in ends.items() if end.offset > 0}
        if filled:
            admin.delete_records(filled)

    with connect_admin(cluster) as admin:
        patiently(cluster, f"delete records of {', '.join(names)}", delete)


def _partitions(admin: Any, topics: list[str]) -> list[TopicPartition]:
    return [
        TopicPartition(topic["name"], partition["partition_index"])
        for topic in admin.describe_topics(topics)
        for partition in topic["partitions"]
    ]
