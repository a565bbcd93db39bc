"""A reader of fetched records that is slow, and that stops a partition for ever at a batch it cannot read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import calc_crc32c

from . import record_batches
from .record_batches import FetchedRecord, UnreadableRecords
from .wanted_records import FindWanted, wanted_of

#: The format of record batches since Kafka 0.11, and the newest one that kafka-python knows.
_FORMAT = 2
#: The head of a batch of this format; its checksum is of what follows at _CHECKED_FROM.
_HEAD = DefaultRecordBatch.HEADER_STRUCT
_CHECKED_FROM = DefaultRecordBatch.ATTRIBUTES_OFFSET
#: The one attribute that does not matter to a batch that nothing is read of: whose clock stamps its records.
_STAMPED_BY_LOG = DefaultRecordBatch.TIMESTAMP_TYPE_MASK


class PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """The records that were fetched of one partition, read as :class:`FetchedRecord`; see there for why.

    kafka-python 3.0.12 raises an error for a batch that it cannot unpack (no codec, a wrong checksum, bytes
    that are no records), again at each poll, so the partition stands still. If the error came after records
    that could be read, and their partition was paused then, it even loops for ever inside ``poll``, as an
    iterator that has raised yields nothing more but still counts as unread. Here such a batch is one record
    that says why it cannot be read, and the log goes on behind it.
    """

    #: The end of the log when it was fetched; a damaged batch cannot reach beyond it.
    log_end = 2**63 - 1
    #: Finds the records that are wanted; None: all are.
    find_wanted: FindWanted | None = None
    next_fetch_offset: int

    def take(self, n: int | None = None) -> list[Any]:
        """The next ``n`` records, none at the end; after any error nothing is left that cannot be read."""
        try:
            taken: list[Any] = super().take(n)
        except BaseException:
            self.drain()
            raise
        if not taken:
            self.drain()
        return taken

    def _unpack_records(self, partition: TopicPartition, fetched: Any, *_: Any) -> Iterator[FetchedRecord]:
        expected = self.fetch_offset
        is_first = True
        while (frame := fetched._next_slice) is not None:
            places = self._places(frame, expected)
            if places is not None and not places and self._is_undamaged(frame):
                fetched._cache_next()
                expected, is_first = self._pass_over(frame), False
                continue
            try:
                batch = fetched.next_batch()
                why = self._fault(batch)
                passed_over = why is None and self._is_passed_over(batch)
            except Exception as exc:  # noqa: BLE001 - whatever the bytes make kafka-python raise
                if fetched._next_slice is frame:  # not even its length can be read: nobody knows what follows
                    break
                why = f"{type(exc).__name__}: {exc}"
            begin, delta = _place(frame)
            # The checksum does not cover the offset. The first batch may begin before what was asked for.
            if (begin + delta if is_first else begin) < expected or begin >= self.log_end:
                why = f"its offset is {begin}, from {expected} on was expected"
                begin = expected
            is_whole = why is None and batch.magic == _FORMAT and batch.records_count == delta + 1
            following = None if is_whole else fetched._next_slice
            last = _last_offset(begin, delta, following, self.log_end)
            expected, is_first = last + 1, False
            if why is not None:
                self.leader_epoch = -1  # Kafka compares none then; that of the batch before is of that one
                yield from self._unreadable(partition, frame, range(begin, last + 1), why)
                continue
            self.leader_epoch = getattr(batch, "leader_epoch", -1)
            self.bytes_read += len(frame)  # kafka-python takes the partitions in turns by it
            if not passed_over:
                yield from self._read(partition, frame, batch, last, places)
            if batch.magic == _FORMAT:  # past the offsets that compaction removed from the end of the batch
                self.next_fetch_offset = max(self.next_fetch_offset, last + 1)
        self.drain()

    def _places(self, frame: memoryview, expected: int) -> Sequence[int] | None:
        """The places that are wanted in the records of a batch; None if all of it has to be read.

        Whatever is unusual has to be, such as a batch that is compressed, misplaced, or of a transaction.
        """
        if self.find_wanted is None or len(frame) < _HEAD.size or frame[16] != _FORMAT:
            return None
        begin, _, _, _, _, attributes, delta, *_, count = _HEAD.unpack_from(frame)
        is_plain = not attributes & ~_STAMPED_BY_LOG and count == delta + 1
        if not (is_plain and expected <= begin <= begin + delta < self.log_end):
            return None
        try:
            return self.find_wanted(bytes(frame[_HEAD.size :]))
        except Exception:  # noqa: BLE001 - it is raised again, and told, where the batch is read
            return None

    def _is_undamaged(self, frame: memoryview) -> bool:
        checksum: int = _HEAD.unpack_from(frame)[4]
        return not self.check_crcs or calc_crc32c(frame[_CHECKED_FROM:]) == checksum

    def _pass_over(self, frame: memoryview) -> int:
        """Move the position behind a batch without reading it; returns the next offset."""
        begin, _, self.leader_epoch, _, _, _, delta, *_ = _HEAD.unpack_from(frame)
        self.bytes_read += len(frame)
        self.next_fetch_offset = begin + delta + 1
        return self.next_fetch_offset

    def _fault(self, batch: Any) -> str | None:
        if batch.magic > _FORMAT:
            return f"its format is {batch.magic}, the newest known one {_FORMAT}"
        if self.check_crcs and not batch.validate_crc():
            return "its checksum is wrong"
        return None

    def _is_passed_over(self, batch: Any) -> bool:
        """Whether a batch holds a transaction's marker, or records of a transaction that was rolled back."""
        if batch.magic < _FORMAT:
            return False
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)

    def _read(
        self,
        partition: TopicPartition,
        frame: memoryview,
        batch: Any,
        last: int,
        places: Sequence[int] | None,
    ) -> Iterator[FetchedRecord]:
        try:
            for record in _records(partition, batch, last, self.find_wanted, places):
                if record is None:
                    damaged = min(self.next_fetch_offset, last)
                    yield from self._unreadable(
                        partition, frame, range(batch.base_offset, damaged + 1), "a record is damaged"
                    )
                    continue
                self.next_fetch_offset = record.offset + 1
                yield record
        except Exception as exc:  # noqa: BLE001 - codecs raise what they like
            offsets = range(batch.base_offset, last + 1)
            yield from self._unreadable(partition, frame, offsets, f"{type(exc).__name__}: {exc}")

    def _unreadable(
        self, partition: TopicPartition, frame: memoryview, offsets: range, why: str
    ) -> Iterator[UnreadableRecords]:
        """Put one record in place of those of ``offsets`` that were not read, and go on behind them."""
        offsets = range(max(self.next_fetch_offset, self.fetch_offset, offsets.start), offsets.stop)
        if not offsets:
            return  # all were read
        self.next_fetch_offset = offsets.stop
        place = f"{partition.topic}/{partition.partition}, offsets {offsets[0]} to {offsets[-1]}"
        text = f"the batch of {place}, cannot be read: {why}"
        yield UnreadableRecords(partition.topic, partition.partition, offsets, bytes(frame), text)


def _records(
    partition: TopicPartition,
    batch: Any,
    last: int,
    find: FindWanted | None,
    places: Sequence[int] | None,
) -> Iterator[FetchedRecord | None]:
    if batch.magic < _FORMAT:
        for old in batch:  # no producer of this decade writes such, but a log may still hold some
            place = (partition.topic, partition.partition, old.offset, old.timestamp or -1)
            yield FetchedRecord(*place, old.key, old.value, b"\0")
        return
    batch._maybe_uncompress()
    raw, count = bytes(memoryview(batch._buffer)[batch._pos :]), batch.records_count
    if find is not None:
        raw, count = wanted_of(raw, count, find(raw) if places is None else places)
    yield from record_batches.records(
        partition.topic,
        partition.partition,
        raw,
        count=count,
        base_offset=batch.base_offset,
        last_delta=last - batch.base_offset,
        base_ms=batch.first_timestamp,
        append_ms=batch.max_timestamp if batch.timestamp_type else None,
    )


def _place(frame: memoryview) -> tuple[int, int]:
    """The first offset that a batch states, and how many offsets its last one is behind that."""
    # A batch of an older format begins with its last offset.
    delta = _int(frame, 23, 4) if frame[16] >= _FORMAT else 0
    return _int(frame, 0, 8), max(0, delta)


def _last_offset(begin: int, delta: int, following: memoryview | None, log_end: int) -> int:
    """The last offset of a batch. One that is damaged cannot reach into the next, or beyond the log's end."""
    next_begin = log_end if following is None else _int(following, 0, 8)
    end = min(next_begin, log_end) if next_begin > begin else log_end  # the next one may be damaged, too
    return min(begin + delta, end - 1)


def _int(frame: memoryview, at: int, size: int) -> int:
    return int.from_bytes(frame[at : at + size], "big", signed=True)
