"""A damaged log on a broker's disk: all of a consumer's partitions stop for it, or one without a word."""

from __future__ import annotations

import logging
import time
from typing import Any, NamedTuple

import kafka.errors
from kafka import TopicPartition

from .pausing import PausingFetcher

logger = logging.getLogger(__name__)

#: Pause before a partition is tried again.
_RETRY_S = 5.0
#: Errors of a broker that cannot read its own log. A storage error also comes while a leader changes.
_DAMAGED = (kafka.errors.CorruptRecordError, kafka.errors.UnknownError, kafka.errors.KafkaStorageError)
#: The least length that a batch of any format can state.
_LEAST_BATCH = 14


class UnreadablePlace(NamedTuple):
    """A place in a log from which the broker gives no records; ``why`` is its answer."""

    offset: int
    why: str
    retry_at: float


class DamagedLogFetcher(PausingFetcher):
    """Leaves a partition alone that its broker cannot read, tries it again every few seconds, and says so.

    kafka-python 3.0.12 raises most of these answers into the poll, which ends the consumer with all of its
    partitions, and passes over the others in silence.
    """

    #: The partitions that cannot be read now.
    unreadable: dict[TopicPartition, UnreadablePlace]
    #: Whether the consumer is of a group. What others find is told by whoever made them read.
    is_member: bool

    def prepare(self, *, is_member: bool) -> None:
        """Set up what ``__init__`` would: kafka-python makes the object itself."""
        self.unreadable = {}
        self.is_member = is_member

    def _fetchable_partitions(self) -> list[TopicPartition]:
        fetchable: list[TopicPartition] = super()._fetchable_partitions()
        if not self.unreadable:
            return fetchable
        now = time.monotonic()
        return [
            one for one in fetchable if one not in self.unreadable or self.unreadable[one].retry_at <= now
        ]

    def _parse_fetched_data(self, completed: Any) -> Any:
        partition, data = completed.topic_partition, completed.partition_data
        error = kafka.errors.for_code(data.error_code)
        why = error.__name__ if error in _DAMAGED else _no_batch(data.records)
        if why is None:
            if data.records and self.unreadable.pop(partition, None) is not None:
                logger.warning("partition can be read again topic=%s partition=%d", *partition)
            return super()._parse_fetched_data(completed)
        if error is kafka.errors.KafkaStorageError:
            super()._parse_fetched_data(completed)  # asks for the leader, which may be another one by now
        if self._subscriptions.is_assigned(partition):
            self._note(partition, completed.fetched_offset, why)
        return None

    def _note(self, partition: TopicPartition, offset: int, why: str) -> None:
        known = self.unreadable.get(partition)
        self.unreadable[partition] = UnreadablePlace(offset, why, time.monotonic() + _RETRY_S)
        if not self.is_member or (known is not None and known.offset == offset):
            return
        logger.warning(
            "partition cannot be read topic=%s partition=%d offset=%d, it is tried again: %s; "
            "look at the disk of its leader, `todo-workers status` says more",
            *partition,
            offset,
            why,
        )


def _no_batch(records: Any) -> str | None:
    """What is wrong with the first batch, if not even its length can be right."""
    if not records or len(records) < 12 or int.from_bytes(records[8:12], "big", signed=True) >= _LEAST_BATCH:
        return None
    return "Kafka gives bytes that are no records"
