"""Polls Kafka for a consumer: for records, or only to stay in the group."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence

from ..kafka import Cluster, KafkaConsumer, TopicPartition, is_joining, kafka_errors, must_wait
from ..records.consumed import ConsumedRecord

#: How often Kafka is polled while no more jobs are wanted.
KEEP_ALIVE_S = 0.1
#: Records taken from kafka-python at a time: the buffer between the log and the prefetch.
_FETCH_RECORDS = 500
#: After a poll that brought few records the next one may wait for so long, to bring several.
_REST_S = 0.005
_FEW_RECORDS = 50

TakeIn = Callable[[TopicPartition, Sequence[ConsumedRecord]], None]


class Poller:
    """Hands the fetched records of each partition to ``take_in``. For the consuming thread."""

    def __init__(
        self,
        client: KafkaConsumer,
        cluster: Cluster,
        queue_name: str,
        take_in: TakeIn,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._queue_name = queue_name
        self._take_in = take_in
        self._clock = clock
        self._keep_alive_at = clock()
        self._rest_until = 0.0
        #: Whether some partition may be paused, which nobody does but this object.
        self._has_paused = False

    def is_member(self) -> bool:
        """Whether the consumer has its share of the partitions, which may be none. For any thread."""
        return not is_joining(self._client)

    def rest_s(self, now: float) -> float:
        """How long the next poll may wait, while jobs run, to bring several records."""
        return self._rest_until - now

    def poll(self, timeout_s: float, not_wanted: Collection[TopicPartition]) -> None:
        """Wait for records of all partitions except those that are not wanted. Raises KafkaUnreachable."""
        if not_wanted or self._has_paused:
            self._client.pause(*not_wanted)
            self._client.resume(*(self._client.paused() - set(not_wanted)))
            self._has_paused = bool(not_wanted)
        self._poll(timeout_s)

    def stay(self, timeout_s: float) -> None:
        """Stay in the group for a while, and fetch nothing. Raises KafkaUnreachable."""
        self._pause_all()
        self._poll(timeout_s)

    def keep_alive(self, now: float) -> bool:
        """Poll from time to time while no records are wanted; True while the group settles: call it again."""
        if now < self._keep_alive_at:
            return False
        # All stay paused until a fetch is wanted: kafka-python may throw away and fetch again what it holds
        # for a partition whose pausing flaps.
        self._pause_all()
        joining = must_wait(self._client)
        self._poll(KEEP_ALIVE_S if joining else 0)
        if joining:
            self._keep_alive_at = self._clock()
        return joining

    def _pause_all(self) -> None:
        self._client.pause(*self._client.assignment())
        self._has_paused = True

    def _poll(self, timeout_s: float) -> None:
        with kafka_errors(self._cluster, f"consume queue {self._queue_name}"):
            fetched = self._client.poll(timeout_ms=math.ceil(timeout_s * 1000), max_records=_FETCH_RECORDS)
            for partition, records in fetched.items():
                self._take_in(partition, records)
        now = self._clock()
        self._keep_alive_at = now + KEEP_ALIVE_S
        brought = sum(map(len, fetched.values()))
        self._rest_until = now + _REST_S if 0 < brought < _FEW_RECORDS else 0.0
