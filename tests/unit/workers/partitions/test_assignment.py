"""What the last commits of an assignment say, without a Kafka."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.helpers.records import Consumed
from workers import Cluster
from workers.kafka import Memberships, OffsetAndMetadata, TopicPartition
from workers.partitions.assignment import Assignment

JOBS = TopicPartition("jobs", 0)


class FakeClient:
    """kafka-python's consumer, as far as an assignment asks it between two polls."""

    def __init__(self, committed: OffsetAndMetadata) -> None:
        self.commits: list[dict[TopicPartition, OffsetAndMetadata]] = []
        self._committed = committed
        self._subscription = SimpleNamespace(assignment={})
        self._coordinator = SimpleNamespace(_commit_offsets_sync_async=self._commit)

    def has_read(self, partition: TopicPartition, offset: int, epoch: int) -> None:
        position = OffsetAndMetadata(offset, "", epoch)
        self._subscription.assignment[partition] = SimpleNamespace(position=position, highwater=offset)

    def committed(self, partition: TopicPartition, *, metadata: bool) -> OffsetAndMetadata:
        assert metadata, partition
        return self._committed

    async def _commit(self, offsets: dict[TopicPartition, OffsetAndMetadata], *, timeout_ms: int) -> None:
        assert timeout_ms
        self.commits.append(offsets)


def test_a_partition_that_is_taken_away_is_committed_with_the_epoch_of_its_last_record(
    tmp_path: Path,
) -> None:
    """Otherwise its next owner would think that the log has lost what came from a new leader."""
    client: Any = FakeClient(OffsetAndMetadata(0, "", 1))
    memberships = Memberships(Cluster(), "n", tmp_path / "members")
    assignment = Assignment(
        client,
        Cluster(),
        memberships,
        "c",
        "queue letters",
        read_inbox=lambda: None,
        commit_interval_ms=1_000,
        revoke_timeout_ms=0,
    )
    client.has_read(JOBS, 2, epoch=2)
    owned = assignment.owned(JOBS, 0)
    owned.buffer.extend(Consumed(offset=offset) for offset in range(2))
    while (record := owned.take(0.0)) is not None:
        owned.done(record.offset)
    del client._subscription.assignment[JOBS]
    asyncio.run(assignment._hand_over([JOBS]))
    assert [(commit[JOBS].offset, commit[JOBS].leader_epoch) for commit in client.commits] == [(2, 2)]
