"""A batch that cannot be read is one record that says why; those around it come as they are."""

from __future__ import annotations

import random
import re
from typing import Any

import kafka.codec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from workers.kafka.batch_reading import read_batch
from workers.kafka.patches.fetching.partition_records import PartitionRecords

LETTERS = TopicPartition("letters", 3)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
#: Offsets of the batch in the middle of three.
MIDDLE = [2, 3]


def batch(first: int, *values: bytes, codec: str = "none") -> bytearray:
    builder = DefaultRecordBatchBuilder(2, CODECS[codec], False, -1, -1, -1, 1 << 24)
    for delta, value in enumerate(values):
        builder.append(delta, 1_000, b"key", value, [("name", b"header")])
    built = bytearray(builder.build())
    built[:8] = first.to_bytes(8, "big")
    return built


def sealed(damaged: bytearray) -> bytearray:
    """With a checksum that is right."""
    built = DefaultRecordBatch(damaged)
    crc = kafka.record.util.calc_crc32c(memoryview(damaged)[built.ATTRIBUTES_OFFSET :])
    damaged[built.CRC_OFFSET : built.CRC_OFFSET + 4] = crc.to_bytes(4, "big")
    return damaged


def log(middle: bytearray) -> bytes:
    return bytes(batch(0, b"a", b"b") + middle + batch(4, b"e", b"f"))


def part(data: bytes, fetch_offset: int = 0, log_end: int = 6, reader: Any = PartitionRecords) -> Any:
    made = reader(fetch_offset, LETTERS, MemoryRecords(data))
    made.log_end = log_end
    return made


def read(data: bytes, **options: Any) -> list[tuple[int, bytes | None, str | None]]:
    return [(r.offset, r.value, r.unreadable) for r in part(data, **options).take()]


def flipped(at: int) -> bytearray:
    middle = batch(2, b"c", b"d")
    middle[at] ^= 0xFF
    return middle


def no_codec() -> bytearray:
    middle = batch(2, b"c", b"d")
    middle[22] |= 5  # a codec that nobody knows yet
    return sealed(middle)


def truncated(codec: str) -> bytearray:
    """A batch whose checksum is right and whose compressed bytes are cut."""
    middle = batch(2, b"c" * 500, b"d" * 500, codec=codec)[:-6]
    middle[8:12] = (len(middle) - 12).to_bytes(4, "big")
    return sealed(middle)


BAD = {
    "checksum": (flipped(70), "checksum is wrong"),
    "last offset": (flipped(24), "checksum is wrong"),
    "format": (flipped(16), r"its format is \d+|checksum|Unsupported"),
    "unknown codec": (no_codec(), "Unrecognized compression type: 5"),
    **{f"cut {codec}": (truncated(codec), "") for codec in ("gzip", "snappy", "lz4", "zstd")},
}


@pytest.mark.parametrize("case", BAD)
def test_the_log_goes_on_behind_a_batch_that_cannot_be_read(case: str) -> None:
    middle, why = BAD[case]
    found = part(log(middle)).take()
    assert [r.offset for r in found] == [0, 1, 3, 4, 5]
    unread = found[2]
    assert (unread.first_offset, unread.key, unread.headers) == (2, None, [])
    assert unread.value == middle
    assert "letters/3, offsets 2 to 3, cannot be read" in unread.unreadable
    assert re.search(why, unread.unreadable)
    assert [r.unreadable for r in found if r is not unread] == [None] * 4


@pytest.mark.xfail(reason="kafka-python raises, and gives nothing behind")
def test_the_original_goes_on_behind_a_batch_that_cannot_be_read() -> None:
    reading = part(log(flipped(70)), reader=Fetcher.PartitionRecords)
    found = [r.offset for r in reading.take()]
    assert found + [r.offset for r in reading.take()] == [0, 1, 4, 5]


def test_a_damaged_batch_at_the_end_reaches_no_further_than_the_log() -> None:
    data = bytes(batch(0, b"a", b"b") + flipped(24))
    found = part(data, log_end=4).take()
    assert [(r.first_offset, r.offset) for r in found] == [(0, 0), (1, 1), (2, 3)]
    # One that claims more than there is.
    middle = batch(2, b"c", b"d")
    middle[23:27] = (1_000).to_bytes(4, "big")
    found = part(bytes(batch(0, b"a", b"b") + middle), log_end=4).take()
    assert [(r.first_offset, r.offset) for r in found] == [(0, 0), (1, 1), (2, 3)]


def test_what_compaction_has_removed_is_passed() -> None:
    middle = batch(2, b"c", b"d")
    middle[23:27] = (7).to_bytes(4, "big")  # of eight records two are left
    reading = part(bytes(batch(0, b"a", b"b") + sealed(middle) + batch(20, b"e")), log_end=30)
    assert [(r.offset, r.unreadable) for r in reading.take()] == [(n, None) for n in (0, 1, 2, 3, 20)]
    emptied = part(bytes(sealed(middle)), fetch_offset=2, log_end=30)
    assert len(emptied.take()) == 2
    assert emptied.next_fetch_offset == 10


def test_only_what_was_asked_for_counts_as_unread() -> None:
    (unread, *others) = part(bytes(flipped(70) + batch(4, b"e")), fetch_offset=3, log_end=5).take()
    assert (unread.first_offset, unread.offset) == (3, 3)
    assert [r.offset for r in others] == [4]


def test_one_damaged_record_loses_no_neighbour() -> None:
    middle = batch(1, b"value b", b"value c", b"value d")
    at = middle.index(b"value c")
    middle[at - 1] = 0x7E  # the length of the value: beyond the end of the record
    found = part(bytes(batch(0, b"a") + sealed(middle) + batch(4, b"e")), log_end=5).take()
    assert [(r.offset, r.value) for r in found if r.unreadable is None] == [
        (0, b"a"),
        (1, b"value b"),
        (3, b"value d"),
        (4, b"e"),
    ]
    (unread,) = (r for r in found if r.unreadable)
    assert (unread.first_offset, unread.offset) == (2, 2)
    assert "a record is damaged" in unread.unreadable


@pytest.mark.parametrize("offset", [0, 1, 6, 2**40, -5])
def test_a_damaged_offset_hides_no_record(offset: int) -> None:
    """The checksum does not cover it."""
    middle = batch(2, b"c", b"d")
    middle[:8] = offset.to_bytes(8, "big", signed=True)
    found = part(log(middle)).take()
    assert [(r.first_offset, r.offset) for r in found] == [(0, 0), (1, 1), (2, 3), (4, 4), (5, 5)]
    assert f"its offset is {offset}, from 2 on was expected" in found[2].unreadable
    if offset == 1:  # in front it may be so: a batch that begins before the offset that was asked for
        return
    first = part(bytes(middle + batch(4, b"e", b"f")), fetch_offset=2).take()
    assert [(r.first_offset, r.offset) for r in first] == [(2, 3), (4, 4), (5, 5)]


@pytest.mark.parametrize("length", [-5, 0, 3])
def test_what_is_before_a_damaged_length_comes_and_what_is_behind_is_asked_for_again(length: int) -> None:
    middle = batch(2, b"c", b"d")
    middle[8:12] = length.to_bytes(4, "big", signed=True)
    reading = part(log(middle))
    assert [r.offset for r in reading.take()] == [0, 1]
    assert reading.next_fetch_offset == 2
    assert not reading


@given(st.integers(0, 2**32), st.integers(1, 8))
@example(0, 1)
def test_whatever_is_damaged_nothing_raises_and_every_offset_is_passed_once(seed: int, flips: int) -> None:
    """But for the length of the batch, by which the broker itself finds the next one."""
    dice = random.Random(seed)
    middle = batch(2, b"c" * dice.randrange(300), b"d", codec=dice.choice(list(CODECS)))
    for _ in range(flips):
        middle[dice.choice([*range(8), *range(12, len(middle))])] ^= 1 << dice.randrange(8)
    found = part(log(middle if dice.random() < 0.5 else sealed(middle))).take()
    covered = [offset for r in found for offset in range(r.first_offset, r.offset + 1)]
    assert sorted(set(covered)) == covered
    assert {0, 1, 4, 5} <= set(covered)


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_read_also_beyond_a_megabyte(codec: str) -> None:
    noise = random.Random(1).randbytes(1_500_000)
    for value in (b"small", noise, b"x" * 3_000_000):
        assert read(bytes(batch(0, value, b"last", codec=codec))) == [(0, value, None), (1, b"last", None)]


def test_a_batch_is_read_once_its_codec_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    middle = batch(2, b"c", b"d", codec="zstd")
    with monkeypatch.context() as patch:
        patch.setattr(kafka.codec, "zstd", None)
        (unread,) = part(bytes(middle), fetch_offset=2, log_end=4).take()
        assert "zstd compression codec not found" in unread.unreadable
        assert read_batch("letters", 3, unread.value)[0].unreadable
    assert [(r.offset, r.value) for r in read_batch("letters", 3, unread.value)] == [(2, b"c"), (3, b"d")]


@pytest.mark.parametrize("data", [b"", b"no batch", b"\0" * 70])
def test_bytes_that_are_no_batch_are_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="no batch"):
        read_batch("letters", 3, data)


class Broken(PartitionRecords):
    """Raises behind its first record, as no reader should."""

    def _unpack_records(self, partition: TopicPartition, fetched: Any, *_: Any) -> Any:
        yield next(super()._unpack_records(partition, fetched))
        raise OSError("broken")


def test_after_an_error_nothing_is_left_that_counts_as_unread() -> None:
    """kafka-python would take its records for ever: there are none, and it looks as if there were."""
    reading = part(log(batch(2, b"c", b"d")), reader=Broken)
    assert len(reading.take(10)) == 1
    with pytest.raises(OSError, match="broken"):
        reading.take(10)
    assert not reading
