"""The partitions that one consumer owns, and the commits of what is done in them.

Belongs to the thread that consumes. kafka-python runs the rebalance listener on its own I/O thread, but only
while the consuming thread waits inside ``poll`` or ``close`` for that to end: the two never run at the same
time, so there are no locks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import WorkersError
from ..kafka import (
    AsyncConsumerRebalanceListener,
    Cluster,
    KafkaConsumer,
    OffsetAndMetadata,
    TopicPartition,
    commit_now,
    is_rebalance,
    kafka_errors,
    sleep_on_io_thread,
)
from .owned_partition import OwnedPartition

logger = logging.getLogger(__name__)

#: Wait before a commit that Kafka did not take is tried again.
RETRY_DELAY_S = 1.0
#: How long a commit may take that jobs wait for.
_TELL_TIMEOUT_MS = 2_000
#: How long close waits for its last commit.
_CLOSE_TIMEOUT_S = 5.0
#: Between two looks at what still runs in partitions that are being taken away.
_REVOKE_INTERVAL_S = 0.01


class Assignment:
    """Lanes by partition. ``open_mail`` is called where acks may have come that the lanes must know."""

    def __init__(
        self,
        client: KafkaConsumer,
        cluster: Cluster,
        name: str,
        *,
        open_mail: Callable[[], None],
        commit_interval_ms: int,
        revoke_timeout_ms: int,
        suspicious: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``name`` says in logs whose partitions these are, such as ``queue letters``.

        ``suspicious``: see :class:`OwnedPartition`.
        """
        self._client = client
        self._cluster = cluster
        self._name = name
        self._open_mail = open_mail
        self._commit_interval_s = commit_interval_ms / 1000
        self._revoke_timeout_s = revoke_timeout_ms / 1000
        self._suspicious = suspicious
        self._clock = clock
        self._committing = False
        self._commit_at = clock()
        self.lanes: dict[TopicPartition, OwnedPartition] = {}
        #: Something was done since the last commit was sent.
        self.unsaved = False

    def tell(self) -> bool:
        """Commit at once what the lanes hold; False where Kafka takes no commit just now: try again soon."""
        offsets = self._to_commit(self.lanes)
        try:
            with kafka_errors(self._cluster, f"commit for {self._name}"):
                if offsets:
                    self._client.commit(offsets, timeout_ms=_TELL_TIMEOUT_MS)
        except WorkersError as exc:
            logger.debug("commit before handing out failed %s: %s", self._name, exc)
            return False
        self._note_committed(offsets)
        for lane in self.lanes.values():
            if lane.suspicion is not None:
                lane.suspicion.told()
        return True

    def subscribe(self, topics: Iterable[str]) -> None:
        """Join the group."""
        names = list(topics)
        self._client.subscribe(names, listener=_Listener(self))
        # Else the first join happens before the topics are known, assigns nothing, and a second one follows.
        for name in names:
            self._client.partitions_for_topic(name)

    def lane(self, partition: TopicPartition, first_offset: int) -> OwnedPartition:
        """The lane of a partition whose first fetched record is at ``first_offset``."""
        lane = self.lanes.get(partition)
        if lane is None:
            committed = self._client.committed(partition, metadata=True)
            # Where the committed position was trimmed or never was, the log starts later.
            if committed is None or committed.offset > first_offset or committed.offset < 0:
                committed = OffsetAndMetadata(first_offset, "", -1)
            lane = self.lanes[partition] = OwnedPartition(partition, committed, suspicious=self._suspicious)
        return lane

    @property
    def is_saving(self) -> bool:
        """Whether a commit is under way, or due soon."""
        return self._committing or self.unsaved

    def commit_if_due(self, now: float) -> None:
        """Start a commit of what is done, at most once in every interval."""
        if now < self._commit_at or self._committing:
            return
        self._commit_at = now + self._commit_interval_s
        offsets = self._to_commit(self.lanes)
        self.unsaved = False
        if offsets:
            self._committing = True
            self._client.commit_async(offsets, callback=self._on_committed)

    def committed_positions(self) -> dict[TopicPartition, int]:
        """What Kafka has confirmed, of the partitions that are owned now."""
        return {partition: lane.committed_position for partition, lane in self.lanes.items()}

    def close(self) -> dict[TopicPartition, int]:
        """Commit what is done, leave the group and disconnect; returns the committed positions."""
        self._open_mail()
        for lane in self.lanes.values():
            lane.close()
        offsets: dict[TopicPartition, OffsetAndMetadata] = {}

        def to_commit() -> dict[TopicPartition, OffsetAndMetadata]:
            nonlocal offsets
            offsets = self._to_commit(self.lanes)
            return offsets

        try:
            with kafka_errors(self._cluster, f"commit for {self._name}"):
                commit_now(self._client, to_commit, _CLOSE_TIMEOUT_S)
            self._note_committed(offsets)
        except Exception as exc:  # noqa: BLE001 - dramatiq's consumer thread would die of it, and not be replaced
            logger.warning(
                "last commit failed %s, what was done since the one before is repeated: %s", self._name, exc
            )
        committed = self.committed_positions()
        self._forget(list(self.lanes))
        try:
            with kafka_errors(self._cluster, f"leave the group of {self._name}"):
                self._client.close(autocommit=False, timeout_ms=int(_CLOSE_TIMEOUT_S * 1000))
        except Exception as exc:  # noqa: BLE001 - the same
            logger.warning("consumer not closed cleanly %s: %s", self._name, exc)
        return committed

    def _to_commit(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        now = self._clock()
        found = {partition: self.lanes[partition].to_commit(now) for partition in partitions}
        return {partition: offset for partition, offset in found.items() if offset is not None}

    def _on_committed(self, offsets: dict[TopicPartition, OffsetAndMetadata], result: Any) -> None:
        self._committing = False
        if not isinstance(result, Exception):
            self._note_committed(offsets)
        elif is_rebalance(result):
            logger.debug("commit waits for a rebalance %s: %s", self._name, result)
        else:
            logger.warning("commit failed %s, trying again: %s", self._name, result)
            self._commit_at = self._clock() + RETRY_DELAY_S

    def _note_committed(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        for partition, offset in offsets.items():
            if partition in self.lanes:
                self.lanes[partition].committed(offset)

    async def _give_up(self, partitions: Iterable[TopicPartition]) -> None:
        """Hand partitions over: start nothing more, let what runs finish for a while, commit, forget."""
        leaving = [partition for partition in partitions if partition in self.lanes]
        for partition in leaving:
            self.lanes[partition].close()
        deadline = self._clock() + self._revoke_timeout_s
        self._open_mail()
        while any(self.lanes[partition].is_running for partition in leaving) and self._clock() < deadline:
            await sleep_on_io_thread(self._client, _REVOKE_INTERVAL_S)
            self._open_mail()
        offsets = self._to_commit(leaving)
        try:
            if offsets:
                await self._client.commit_async(offsets)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the partitions are gone
            logger.warning(
                "commit on revoke failed %s, what was done since the one before is repeated: %s",
                self._name,
                exc,
            )
        else:
            self._note_committed(offsets)
        self._forget(leaving)

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop lanes. Jobs of theirs that are still out keep their place in the prefetch until acked."""
        for partition in partitions:
            lane = self.lanes.pop(partition, None)
            if lane is not None:
                lane.close()


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._assignment._give_up(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """A partition's lane is made with its first record."""

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._assignment._forget(lost)
