"""Fetched records are what kafka-python's own reader gives, which is the reference."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from workers.kafka.patches.fetching.partition_records import PartitionRecords
from workers.kafka.patches.fetching.record_batches import CorruptBatch, FetchedRecord, records

small_bytes = st.none() | st.binary(max_size=300)
headers = st.lists(st.tuples(st.text(max_size=70), small_bytes), max_size=4)
record = st.tuples(st.integers(0, 2**41), small_bytes, small_bytes, headers)


def batch_of(wanted: list[Any]) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 20)
    for offset, (timestamp, key, value, headers_) in enumerate(wanted):
        builder.append(offset, timestamp, key, value, headers_)
    return bytes(builder.build())


def read(batch: bytes, raw: bytes | None = None, append_ms: int | None = None) -> list[FetchedRecord]:
    """The records that are sound."""
    reference = DefaultRecordBatch(batch)
    found = list(
        records(
            "letters",
            3,
            batch[reference._pos :] if raw is None else raw,
            count=reference.records_count,
            base_offset=reference.base_offset,
            last_delta=reference.last_offset_delta,
            base_ms=reference.first_timestamp,
            append_ms=append_ms,
        )
    )
    return [record for record in found if record is not None]


@given(st.lists(record, min_size=1, max_size=20))
def test_every_field_is_as_kafka_python_reads_it(wanted: list[Any]) -> None:
    batch = batch_of(wanted)
    found = [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in read(batch)]
    assert found == [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in DefaultRecordBatch(batch)]


def test_a_record_knows_where_it_is_from() -> None:
    [only] = read(batch_of([(17, b"k", b"v", [])]))
    assert (only.topic, only.partition) == ("letters", 3)


def test_where_the_log_stamps_all_have_its_time() -> None:
    batch = batch_of([(17, b"k", b"v", []), (18, b"k", b"v", [])])
    assert [r.timestamp for r in read(batch, append_ms=99)] == [99, 99]


def test_a_header_name_that_is_no_utf_8_does_no_harm() -> None:
    batch = batch_of([(17, b"k", b"v", [("name", b"value")])])
    [damaged] = read(batch, batch[61:].replace(b"name", b"n\xff\xffe"))
    assert damaged.headers == [("n\ufffd\ufffde", b"value")]


@given(st.binary(max_size=80))
def test_bytes_that_are_no_records_are_an_error_or_records(raw: bytes) -> None:
    try:
        for found in read(batch_of([(17, b"k", b"v", [])]), raw):
            assert isinstance(found.headers, list)
    except CorruptBatch:
        pass


@pytest.mark.parametrize("cut", [1, 5, 10])
def test_a_batch_that_is_cut_short_is_an_error(cut: int) -> None:
    batch = batch_of([(17, b"key", b"value", [("name", b"value")])])
    with pytest.raises(CorruptBatch, match=r"cut short|ends at byte"):
        read(batch, batch[61:-cut])


def test_bytes_behind_the_last_record_are_an_error() -> None:
    batch = batch_of([(17, b"key", b"value", [])])
    with pytest.raises(CorruptBatch, match="2 bytes lie behind the last record"):
        read(batch, batch[61:] + b"xx")


def calls_for_each_record(reader: Any) -> float:
    """How many Python functions run for a record; unlike the time, the same on every machine."""
    batch = batch_of([(17, b"key", b"value", [("name", b"value")])] * 100)
    calls = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    part = reader(0, TopicPartition("letters", 3), MemoryRecords(batch))
    sys.setprofile(count)
    try:
        assert len(part.take(100)) == 100
    finally:
        sys.setprofile(None)
    return calls / 100


upstream = pytest.mark.xfail(reason="kafka-python calls some thirty functions for a record")


@pytest.mark.parametrize("reader", [PartitionRecords, pytest.param(Fetcher.PartitionRecords, marks=upstream)])
def test_a_record_costs_few_calls(reader: Any) -> None:
    assert calls_for_each_record(reader) < 15
