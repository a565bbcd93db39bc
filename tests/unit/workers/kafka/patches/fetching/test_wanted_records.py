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


def batch_of(values: Sequence[bytes], codec: int = 0, begin: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, -1, 1 << 20)
    for offset, value in enumerate(values):
        builder.append(offset, 1_000, b"key", value, [("name", b"header")])
    return begin.to_bytes(8, "big") + bytes(builder.build())[8:]


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


Batches = st.lists(
    st.tuples(
        st.lists(st.text("ab!", max_size=9).map(str.encode), min_size=1, max_size=3), st.sampled_from([0, 1])
    ),
    min_size=1,
    max_size=6,
)


def read(data: bytes, find: FindWanted | None) -> tuple[list[tuple[int, object]], int]:
    """The wanted records, those that cannot be read, and the offset behind all."""
    made = reader(data, find)
    found = made.take() if data else []
    kept = [one for one in found if one.unreadable or b"!" in one.value]
    return [(one.offset, one.unreadable or one.value) for one in kept], made.next_fetch_offset


@given(Batches)
def test_batches_without_a_wanted_record_are_passed_over(batches: list[tuple[list[bytes], int]]) -> None:
    data, begin = b"", 0
    for values, codec in batches:
        data += batch_of(values, codec, begin)
        begin += len(values)
    assert read(data, marks) == read(data, None)
    assert read(data, marks)[1] == begin


@given(Batches, st.data())
def test_a_damaged_batch_is_found_also_if_nothing_of_it_is_wanted(
    batches: list[tuple[list[bytes], int]], drawn: st.DataObject
) -> None:
    damaged = drawn.draw(st.integers(0, len(batches) - 1))
    data, begin = b"", 0
    for number, (values, codec) in enumerate(batches):
        raw = bytearray(batch_of(values, codec, begin))
        if number == damaged:
            raw[-1] ^= 1  # of the last header: no mark comes or goes
        data += raw
        begin += len(values)
    assert read(data, marks) == read(data, None)
    assert any("checksum" in str(what) for _, what in read(data, marks)[0])
