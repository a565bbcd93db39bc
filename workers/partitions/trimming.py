"""Deletes done jobs from a job topic, so that a topic without retention stays small.

It only ever deletes records below a position that Kafka has confirmed as committed. They are done, whoever
owns the partition by now, so a trim that comes late does no harm.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping

from ..errors import NotAuthorized, NotSupported, WorkersError
from ..kafka import Cluster, KafkaAdminClient, TopicPartition, connect_admin, kafka_errors

logger = logging.getLogger(__name__)

#: How long a worker that stops waits for its last trim; the next owner trims what is left.
_LAST_TRIM_S = 3.0


class Trimmer:
    """Trims the partitions of one topic, rarely and in bulk.

    For one thread. A call to Kafka takes some 30 ms, so it runs on a thread of its own and holds up no job.
    """

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        *,
        interval_ms: int,
        keep_done_ms: int,
        not_trimmed: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``keep_done_ms``: records younger than this stay for inspection, done or not.

        ``not_trimmed``: topics that others own; nothing is deleted from them.
        """
        self._cluster = cluster
        self._topic = topic
        self._interval_s = interval_ms / 1000
        self._keep_done_ms = keep_done_ms
        self._not_trimmed = not_trimmed
        self._clock = clock
        self._next_at = clock() + self._interval_s
        self._trimmed: dict[TopicPartition, int] = {}
        self._round: threading.Thread | None = None
        self._warned = False

    def is_due(self, now: float) -> bool:
        """Whether the interval has passed and the last round has ended."""
        return now >= self._next_at and (self._round is None or not self._round.is_alive())

    def due_in_s(self, now: float) -> float:
        """Seconds until the interval has passed."""
        return max(0.0, self._next_at - now)

    def trim(self, committed: Mapping[TopicPartition, int]) -> None:
        """Start a round that deletes the records below the committed positions."""
        self._next_at = self._clock() + self._interval_s
        grown = {
            partition: position
            for partition, position in committed.items()
            if partition.topic not in self._not_trimmed and position > self._trimmed.get(partition, 0)
        }
        if not grown:
            return
        thread = threading.Thread(target=self._run, args=(grown,), name=f"trim-{self._topic}", daemon=True)
        try:
            thread.start()
        except RuntimeError as exc:  # the process has no room for a thread; its jobs go on
            logger.warning("job topic not trimmed, trying again later topic=%s: %s", self._topic, exc)
        else:
            self._round = thread

    def close(self, committed: Mapping[TopicPartition, int]) -> None:
        """Trim a last time; blocks for a few seconds at most."""
        deadline = self._clock() + _LAST_TRIM_S
        if self._round is not None:
            self._round.join(_LAST_TRIM_S)
        if self._round is None or not self._round.is_alive():
            self.trim(committed)
        if self._round is not None:
            self._round.join(max(0.0, deadline - self._clock()))

    def _run(self, committed: dict[TopicPartition, int]) -> None:
        try:
            with connect_admin(self._cluster) as admin, kafka_errors(self._cluster, self._doing):
                limits = self._limits(admin, committed)
                if limits:
                    admin.delete_records(limits)
        except (NotAuthorized, NotSupported) as exc:
            level = logging.DEBUG if self._warned else logging.WARNING
            self._warned = True
            logger.log(level, "job topic not trimmed, its disk use grows topic=%s: %s", self._topic, exc)
        except WorkersError as exc:
            logger.info("job topic not trimmed, trying again later topic=%s: %s", self._topic, exc)
        else:
            self._trimmed.update(limits)

    @property
    def _doing(self) -> str:
        return f"delete what is done from topic {self._topic}"

    def _limits(
        self, admin: KafkaAdminClient, committed: dict[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        if not self._keep_done_ms:
            return committed
        since_ms = int(time.time() * 1000) - self._keep_done_ms
        kept_from = admin.list_partition_offsets(dict.fromkeys(committed, since_ms))
        limits = {}
        for partition, position in committed.items():
            first_kept = kept_from[partition].offset  # negative if no record is that young
            limit = position if first_kept < 0 else min(position, first_kept)
            if limit > self._trimmed.get(partition, 0):
                limits[partition] = limit
        return limits
