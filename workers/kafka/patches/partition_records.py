"""A reader of fetched records that takes most of a consumer's time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kafka.errors
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher

from . import record_batches
from .record_batches import FetchedRecord


class PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """The records that were fetched of one partition, read as :class:`FetchedRecord`; see there for why."""

    def _unpack_records(self, partition: TopicPartition, fetched: Any, *_: Any) -> Iterator[FetchedRecord]:
        while (batch := fetched.next_batch()) is not None:
            if self.check_crcs and not batch.validate_crc():
                raise kafka.errors.CorruptRecordError(
                    f"the batch at offset {batch.base_offset} of {partition} fails its checksum"
                )
            self.leader_epoch = batch.leader_epoch
            self.bytes_read += batch.size_in_bytes  # kafka-python takes the partitions in turns by it
            if not batch.is_control_batch:
                for record in _records(partition, batch):
                    self.next_fetch_offset = record.offset + 1
                    yield record
            # Past what compaction has removed from the end of the batch.
            self.next_fetch_offset = batch.next_offset
        self.drain()


def _records(partition: TopicPartition, batch: Any) -> Iterator[FetchedRecord]:
    batch._maybe_uncompress()
    try:
        yield from record_batches.records(
            partition.topic,
            partition.partition,
            bytes(memoryview(batch._buffer)[batch._pos :]),
            count=batch.records_count,
            base_offset=batch.base_offset,
            base_ms=batch.first_timestamp,
            append_ms=batch.max_timestamp if batch.timestamp_type else None,
        )
    except record_batches.CorruptBatch as exc:
        raise kafka.errors.CorruptRecordError(
            f"the batch at offset {batch.base_offset} of {partition} is damaged: {exc}"
        ) from exc
