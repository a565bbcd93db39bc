"""Reads once more a batch of a log that could not be read when it was fetched."""

from __future__ import annotations

from kafka import TopicPartition
from kafka.record import MemoryRecords

from ..records.consumed import ConsumedRecord
from .patches.fetching.partition_records import PartitionRecords


def read_batch(topic: str, partition: int, batch: bytes) -> list[ConsumedRecord]:
    """The records of ``batch``, the bytes from the log; those that still cannot be read are ``unreadable``.

    Raises ValueError for bytes that are no batch at all.
    """
    try:
        part = PartitionRecords(0, TopicPartition(topic, partition), MemoryRecords(batch))
        found: list[ConsumedRecord] = part.take()
    except Exception as exc:
        raise ValueError(f"no batch of records: {type(exc).__name__}: {exc}") from exc
    if not found:
        raise ValueError("no batch of records")
    return found
