"""Commits what is done in the partitions of one assignment, and notes what Kafka has confirmed.

An idle process has many consumers, and each would look at all of its partitions in every interval, to find
that there is nothing to commit. So a look is left out while its result is known: the last one found nothing,
no job is in hand or waits at hand, nobody has noted a change, and no poll has looked for one since::

    look ──► commits ──► look ──► nothing to commit, nothing in hand ──► at rest ──┐
      ▲                                                                            │
      └──── `unsaved`: a job ended ──── a poll: records, partitions, positions ◄───┘
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import WorkersError
from ..kafka import (
    Cluster,
    KafkaConsumer,
    OffsetAndMetadata,
    ReadUpTo,
    TopicPartition,
    is_rebalance,
    kafka_errors,
    polls_of,
    read_up_to,
)
from .empty_partitions import EmptyPartitions
from .owned_partition import OwnedPartition

logger = logging.getLogger(__name__)

#: Pause before a commit that Kafka did not take is tried again.
RETRY_DELAY_S = 1.0
#: How long a commit that jobs wait for may take.
_COMMIT_FIRST_TIMEOUT_MS = 2_000


class Commits:
    """The commits of one assignment. For the thread that its partitions belong to."""

    def __init__(
        self,
        client: KafkaConsumer,
        cluster: Cluster,
        name: str,
        partitions: Mapping[TopicPartition, OwnedPartition],
        empty: EmptyPartitions,
        *,
        on_read: Callable[[Mapping[TopicPartition, ReadUpTo]], None],
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``partitions`` are those of the assignment, as they are at any time; ``empty`` are all others.

        ``on_read`` gets how far each was read, before a commit says what is done there.
        """
        self._client = client
        self._cluster = cluster
        self._name = name
        self._partitions = partitions
        self._empty = empty
        self._on_read = on_read
        self._interval_s = interval_s
        self._clock = clock
        self._under_way = False
        self._due_at = clock()
        #: How many polls there had been when nothing was in hand and a look found nothing to commit.
        self._at_rest: int | None = None
        #: Whether something has changed since the last commit was sent that commits tell: set it then, unless
        #: it came by a poll.
        self.unsaved = False

    @property
    def is_saving(self) -> bool:
        """Whether a commit is under way, or due soon."""
        return self._under_way or self.unsaved

    @property
    def is_at_rest(self) -> bool:
        """Whether there is nothing to commit before a poll has brought something, or `unsaved` is set."""
        return not self.unsaved and polls_of(self._client) == self._at_rest

    def start_if_due(self, now: float) -> None:
        """Start a commit of what is done, at most once in every interval."""
        if now < self._due_at or self._under_way:
            return
        self._due_at = now + self._interval_s
        if self.is_at_rest:
            return
        polls = polls_of(self._client)
        offsets = self._look()
        self._at_rest = polls if not offsets and self._has_nothing_at_hand() else None
        self.unsaved = False
        if offsets:
            self._under_way = True
            self._client.commit_async(offsets, callback=self._on_committed)

    def make_first(self) -> bool:
        """Commit at once, and wait for it; False if Kafka takes no commit just now: try again soon."""
        offsets = self.of(self._partitions)
        try:
            with kafka_errors(self._cluster, f"commit for {self._name}"):
                if offsets:
                    self._client.commit(offsets, timeout_ms=_COMMIT_FIRST_TIMEOUT_MS)
        except WorkersError as exc:
            logger.debug("commit before handing out failed %s: %s", self._name, exc)
            return False
        self.confirmed(offsets)
        for owned in self._partitions.values():
            if owned.crashes is not None:
                owned.crashes.committed()
        return True

    def of(self, wanted: Iterable[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        """What Kafka does not have yet of what is done in these partitions, which have had records."""
        now = self._clock()
        found = {partition: self._partitions[partition].to_commit(now) for partition in wanted}
        return {partition: offset for partition, offset in found.items() if offset is not None}

    def confirmed(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Note what Kafka has stored."""
        for partition, offset in offsets.items():
            if partition in self._partitions:
                self._partitions[partition].committed(offset)

    def positions(self) -> dict[TopicPartition, int]:
        """The positions that Kafka has confirmed, of the partitions that are owned now."""
        return {partition: owned.committed_position for partition, owned in self._partitions.items()}

    def _look(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """All that Kafka does not have yet."""
        read = read_up_to(self._client)
        self._on_read(read)
        return self.of(self._partitions) | self._empty.to_commit(read, self._partitions)

    def _has_nothing_at_hand(self) -> bool:
        """Whether what is done changes in no partition before something comes."""
        return not any(owned.buffer or owned.in_hand for owned in self._partitions.values())

    def _on_committed(self, offsets: dict[TopicPartition, OffsetAndMetadata], result: Any) -> None:
        self._under_way = False
        if not isinstance(result, Exception):
            self.confirmed(offsets)
            return
        self._empty.commit_again()
        if is_rebalance(result):
            logger.debug("commit waits for a rebalance %s: %s", self._name, result)
        else:
            logger.warning("commit failed %s, trying again: %s", self._name, result)
            self._due_at = self._clock() + RETRY_DELAY_S
