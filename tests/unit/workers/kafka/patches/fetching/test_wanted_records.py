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


def batch_of(values: Sequence[bytes], codec: int = 0, begin: int = 0, epoch: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, -1, 1 << 20)
    for offset, value in enumerate(values):
        builder.append(offset, 1_000, b"key", value, [("name", b"header")])
    built = bytes(builder.build())
    return begin.to_bytes(8, "big") + built[8:12] + epoch.to_bytes(4, "big") + built[16:]


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
    kept, number = wanted_of(raw, count, sorted(places))
    assert number <= count
    assert (kept, number) == (raw, count) or (number <= len(places) and len(kept) <= len(raw))


def test_a_batch_with_a_damaged_record_before_a_wanted_one_is_kept_whole() -> None:
    raw = batch_of([b"a", b"!"])[_HEAD_BYTES:]
    damaged = b"\x7f" + raw[1:]
    assert wanted_of(damaged, 2, marks(damaged)) == (damaged, 2)


#: The values of each batch, its codec, and the epoch of the leader that wrote it.
Batches = st.lists(
    st.tuples(
        st.lists(st.text("ab!", max_size=9).map(str.encode), min_size=1, max_size=3),
        st.sampled_from([0, 1]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=6,
)


def log_of(batches: list[tuple[list[bytes], int, int]]) -> list[bytes]:
    log, begin = [], 0
    for values, codec, epoch in batches:
        log.append(batch_of(values, codec, begin, epoch))
        begin += len(values)
    return log


def read(data: bytes, find: FindWanted | None) -> tuple[list[tuple[int, object]], int, int]:
    """The wanted records, those that cannot be read, and the position behind all: its offset and epoch."""
    made = reader(data, find)
    found = made.take() if data else []
    kept = [one for one in found if one.unreadable or b"!" in one.value]
    return (
        [(one.offset, one.unreadable or one.value) for one in kept],
        made.next_fetch_offset,
        made.leader_epoch,
    )


@given(Batches)
def test_batches_without_a_wanted_record_are_passed_over(batches: list[tuple[list[bytes], int, int]]) -> None:
    data = b"".join(log_of(batches))
    assert read(data, marks) == read(data, None)
    assert read(data, marks)[1:] == (sum(len(values) for values, _, _ in batches), batches[-1][2])


@given(Batches, st.data())
def test_a_damaged_batch_is_found_also_if_nothing_of_it_is_wanted(
    batches: list[tuple[list[bytes], int, int]], drawn: st.DataObject
) -> None:
    damaged = drawn.draw(st.integers(0, len(batches) - 1))
    log = log_of(batches)
    log[damaged] = log[damaged][:-1] + bytes(
        [log[damaged][-1] ^ 1]
    )  # of the last header: no mark comes or goes
    data = b"".join(log)
    assert read(data, marks) == read(data, None)
    assert any("checksum" in str(what) for _, what in read(data, marks)[0])
    if damaged == len(batches) - 1:
        assert read(data, marks)[2] == -1


def test_a_batch_whose_records_are_searched_for_in_vain_cannot_be_read() -> None:
    def fail_at_first(raw: bytes) -> list[int]:
        if b"odd" in raw:
            raise LookupError("odd")
        return marks(raw)

    found, offset, _ = read(b"".join(log_of([([b"odd"], 0, 1), ([b"!"], 0, 1)])), fail_at_first)
    assert (offset, found[1:]) == (2, [(1, b"!")])
    assert "LookupError: odd" in str(found[0][1])
