"""Keeps the partitions that one consumer owns, from when Kafka assigns them until they are handed over.

An assignment's life, as the members of a group come and go (cooperative-sticky: only what moves stops)::

    subscribe() ──► poll: Kafka assigns ──► first record of a partition ──► owned() makes its object
                      │                                                      │
                      │    `Commits` ── in every commit interval ────────────┤
                      │              └─ before some jobs are handed out ─────┘
                      │
                      ├──► revoked: _hand_over(): start nothing more, wait for what runs, commit, forget
                      ├──► lost (session over, another owns it by now): forget, commit nothing
                      └──► close(): as a revoke of all, then leave the group

The next owner repeats the done jobs that are in no commit.

Belongs to the thread that consumes. kafka-python runs the rebalance listener on its own I/O thread, but only
while the consuming thread waits inside ``poll`` or ``close`` for that to end: the two never run at the same
time, so there are no locks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping

from ..errors import LogWentBack
from ..kafka import (
    AsyncConsumerRebalanceListener,
    Cluster,
    KafkaConsumer,
    Memberships,
    OffsetAndMetadata,
    ReadUpTo,
    TopicPartition,
    commit_now,
    commit_on_io_thread,
    epoch_read,
    kafka_errors,
    must_wait,
    sleep_on_io_thread,
)
from . import commit_metadata
from .commits import Commits
from .crash_counts import CrashCounter
from .empty_partitions import EmptyPartitions
from .lost_records import inherited, require_risen
from .owned_partition import OwnedPartition

logger = logging.getLogger(__name__)

#: How long the last commit of partitions that are given up may take.
_LAST_COMMIT_S = 5.0
#: Pause between two looks at the jobs that still run in partitions that are given up.
_REVOKE_INTERVAL_S = 0.01


class Assignment:
    """The partitions that a consumer owns now, from joining the group to leaving it."""

    def __init__(
        self,
        client: KafkaConsumer,
        cluster: Cluster,
        memberships: Memberships,
        client_id: str,
        name: str,
        *,
        read_inbox: Callable[[], None],
        commit_interval_ms: int,
        revoke_timeout_ms: int,
        counts_crashes: bool = True,
        on_dropped: Callable[[OwnedPartition], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``name`` says in logs whose partitions these are, such as ``queue letters``.

        ``read_inbox`` notes the acks that have come; it is called before a commit that must not miss one.
        ``counts_crashes``: commits say that the partitions are held, so that deaths of owners are counted.
        ``on_dropped`` gets each partition that is no longer owned, and closed.
        """
        self._client = client
        self._cluster = cluster
        self._memberships = memberships
        self._client_id = client_id
        self._on_dropped = on_dropped
        self._name = name
        self._read_inbox = read_inbox
        self._revoke_timeout_s = revoke_timeout_ms / 1000
        self._counts_crashes = counts_crashes
        self._clock = clock
        self.partitions: dict[TopicPartition, OwnedPartition] = {}
        self.commits = Commits(
            client,
            cluster,
            name,
            self.partitions,
            EmptyPartitions(memberships.owner if counts_crashes else ""),
            on_read=self._pass_what_is_no_record,
            interval_s=commit_interval_ms / 1000,
            clock=clock,
        )

    def subscribe(self, topics: Iterable[str]) -> None:
        """Ask to join the group, which the next polls do. Blocks while a topic's metadata is unknown.

        Raises KafkaUnreachable.
        """
        names = list(topics)
        with kafka_errors(self._cluster, f"join the group of {self._name}"):
            self._client.subscribe(names, listener=_Listener(self))
            # Otherwise the first join is before the topics are known, assigns nothing, and another follows.
            for name in names:
                self._client.partitions_for_topic(name)

    def owned(self, partition: TopicPartition, first_offset: int) -> OwnedPartition:
        """The object of a partition with fetched records from ``first_offset`` on. Raises LogWentBack."""
        owned = self.partitions.get(partition)
        if owned is not None:
            self._require_risen(owned, first_offset)
        else:
            committed = inherited(self._client, partition, first_offset)
            crashes = self._crash_counter(committed) if self._counts_crashes else None
            owned = OwnedPartition(partition, committed, crashes, self._memberships.owner)
            self.partitions[partition] = owned
        # Here already: when the partition is taken away, kafka-python does not know it any more.
        owned.leader_epoch = max(owned.leader_epoch, epoch_read(self._client, partition))
        return owned

    def _require_risen(self, owned: OwnedPartition, offset: int) -> None:
        try:
            require_risen(owned, offset)
        except LogWentBack:
            self._forget([owned.partition])  # no commit must say of a new log what was done in the old one
            raise

    def _crash_counter(self, committed: OffsetAndMetadata) -> CrashCounter:
        inherited = commit_metadata.decode_crash_counts(committed.offset, committed.metadata)
        if inherited.held and self._memberships.is_alive(inherited.owner):
            logger.info("partition taken over from a process that is alive %s", self._name)
            inherited = inherited.if_it_lives()
        return CrashCounter(inherited)

    def _pass_what_is_no_record(self, read: Mapping[TopicPartition, ReadUpTo]) -> None:
        """Note how far each log was read whose end has no records, such as the marker of a transaction."""
        for partition, owned in self.partitions.items():
            if partition not in read or owned.closed:
                continue
            self._require_risen(owned, read[partition].offset)
            owned.leader_epoch = max(owned.leader_epoch, read[partition].leader_epoch)
            if not owned.buffer:
                owned.ledger.skip_to(read[partition].offset)

    def close(self) -> dict[TopicPartition, int]:
        """Commit what is done, leave the group and disconnect; returns the committed positions.

        Running jobs may finish first, for a bounded while, as when partitions are taken away: otherwise they
        would be repeated.
        """
        for owned in self.partitions.values():
            owned.close()
        deadline = self._clock() + self._revoke_timeout_s
        self._read_inbox()
        while self._is_running(self.partitions) and self._clock() < deadline:
            time.sleep(_REVOKE_INTERVAL_S)
            self._read_inbox()
        offsets: dict[TopicPartition, OffsetAndMetadata] = {}

        def to_commit() -> dict[TopicPartition, OffsetAndMetadata]:
            nonlocal offsets
            offsets = self.commits.of(self.partitions)
            return offsets

        try:
            with kafka_errors(self._cluster, f"commit for {self._name}"):
                commit_now(self._client, to_commit, _LAST_COMMIT_S)
            self.commits.confirmed(offsets)
        except Exception as exc:  # noqa: BLE001 - dramatiq's consumer thread would die of it, and not be replaced
            logger.warning(
                "last commit failed %s, what was done since the one before is repeated: %s", self._name, exc
            )
        committed = self.commits.positions()
        self._forget(list(self.partitions))
        # Its own request to leave would wait behind the one to join, which waits for all the others.
        left = must_wait(self._client) and self._memberships.leave_now(self._client_id)
        try:
            with kafka_errors(self._cluster, f"leave the group of {self._name}"):
                self._client.close(autocommit=False, timeout_ms=int(_LAST_COMMIT_S * 1000))
        except Exception as exc:  # noqa: BLE001 - the same
            logger.warning("consumer not closed cleanly %s: %s", self._name, exc)
        if left:  # a request to join may have been under way
            self._memberships.leave_now(self._client_id)
        self._memberships.forget(self._client_id)
        return committed

    async def _hand_over(self, partitions: Iterable[TopicPartition]) -> None:
        """Hand partitions over: start nothing more, let running jobs finish for a while, commit, forget."""
        leaving = [partition for partition in partitions if partition in self.partitions]
        for partition in leaving:
            self.partitions[partition].close()
        deadline = self._clock() + self._revoke_timeout_s
        self._read_inbox()
        while self._is_running(leaving) and self._clock() < deadline:
            await sleep_on_io_thread(self._client, _REVOKE_INTERVAL_S)
            self._read_inbox()
        offsets = self.commits.of(leaving)
        try:
            await commit_on_io_thread(self._client, offsets, _LAST_COMMIT_S)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the partitions are gone
            logger.warning(
                "commit on revoke failed %s, what was done since the one before is repeated: %s",
                self._name,
                exc,
            )
        else:
            self.commits.confirmed(offsets)
        self._forget(leaving)

    def _is_running(self, partitions: Iterable[TopicPartition]) -> bool:
        # A rebalance may drop some while the close waits.
        owned = (self.partitions.get(partition) for partition in partitions)
        return any(one.is_running for one in owned if one is not None)

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop partitions. Their jobs that still run keep their place in the prefetch until acked."""
        for partition in partitions:
            owned = self.partitions.pop(partition, None)
            if owned is not None:
                owned.close()
                self._on_dropped(owned)


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._assignment._hand_over(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Does nothing: a partition's object is made with its first record."""

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._assignment._forget(lost)
