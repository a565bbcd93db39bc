"""Records that are not wanted are passed over; the others are as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatchBuilder

from workers.kafka.patches.fetching.partition_records import PartitionRecords
from workers.kafka.patches.fetching.wanted_records import FindWanted, wanted_of

_HEAD_BYTES = 61


def batch_of(values: Sequence[bytes], codec: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, -1, 1 << 20)
    for offset, value in enumerate(values):
        builder.append(offset, 1_000, b"key", value, [("name", b"header")])
    return bytes(builder.build())


def marks(raw: bytes) -> list[int]:
    return [place for place, byte in enumerate(raw) if byte == ord("!")]


def reader(data: bytes, find: FindWanted | None) -> Any:
    made = PartitionRecords(0, TopicPartition("t", 0), MemoryRecords(data))
    made.find_wanted = find
    return made


@given(
    st.lists(st.text("ab!", max_size=300).map(str.encode), min_size=1, max_size=20), st.sampled_from([0, 1])
)
def test_the_wanted_ones_come_and_the_position_is_behind_all(values: list[bytes], codec: int) -> None:
    made = reader(batch_of(values, codec), marks)
    found = [(record.offset, record.value, record.headers) for record in made.take()]
    assert [one for one in found if b"!" in one[1]] == [
        (offset, value, [("name", b"header")]) for offset, value in enumerate(values) if b"!" in value
    ]
    # A byte of a length may be a mark by chance.
    assert all(b"!" in value or len(value) > 15 for _, value, _ in found)
    assert made.next_fetch_offset == len(values)


def test_all_come_where_anything_may_be_wanted() -> None:
    assert len(reader(batch_of([b"a", b"b"]), lambda _: None).take()) == 2


@given(st.binary(max_size=200), st.integers(0, 5), st.lists(st.integers(0, 250), max_size=5))
def test_damaged_records_are_kept_or_some_of_them_as_they_are(
    raw: bytes, count: int, places: list[int]
) -> None:
    kept, number = wanted_of(raw, count, lambda _: sorted(places))
    assert number <= count
    assert (kept, number) == (raw, count) or (number <= len(places) and len(kept) <= len(raw))


def test_a_batch_with_a_damaged_record_before_a_wanted_one_is_kept_whole() -> None:
    raw = batch_of([b"a", b"!"])[_HEAD_BYTES:]
    damaged = b"\x7f" + raw[1:]
    assert wanted_of(damaged, 2, marks) == (damaged, 2)
