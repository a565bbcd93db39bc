"""The history stays small however many processes come and go, and says the same."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.records import Consumed
from tests.unit.workers.stats.test_history import NOON, WRITE, counts
from workers.records.envelope import Record
from workers.stats.history import history
from workers.stats.record import HOUR_S, MINUTE_S, Part, decode, encode
from workers.stats.tidying import GRACE_S, NAMED_S, Kept, take, tidied


class Log:
    """The topic: what a reader finds, and what a tidier does."""

    def __init__(self) -> None:
        self.records: list[Consumed] = []

    def write(self, records: Iterable[Record], now_s: float) -> None:
        for record in records:
            place = ("t", 0, len(self.records), int(now_s * 1000))
            self.records.append(Consumed(*place, record.key, record.value))

    def kept(self) -> dict[bytes, Kept]:
        found: dict[bytes, Kept] = {}
        take(self.records, found)
        return found

    def tidy(self, now_s: float, *, most: int | None = None) -> int:
        """Tidy up as one process does, which may die after so many records."""
        written = 0
        while records := tidied(self.kept(), now_s)[:most]:
            self.write(records, now_s)
            written += len(records)
            if most is not None:
                break
        return written

    def done(self, now_s: float) -> int:
        values = {record.key: record.value for record in self.records}
        parts = [decode(key, value) for key, value in values.items() if value is not None]
        return sum(slot.counts.done for slot in history(parts, now_s).slots("coarse"))


def part(process: str, start_s: int, done: int, length_s: int = HOUR_S) -> Record:
    return encode(Part(process, start_s, length_s, {WRITE: counts(done)}))


def test_a_fleet_that_is_replaced_each_hour_leaves_a_record_for_each_hour() -> None:
    log, done = Log(), 0
    for hour in range(40):
        start_s = NOON + hour * HOUR_S
        for process in range(3):
            log.write([part(f"h{hour}-p{process}", start_s, 3)], start_s + 1_800)
            minutes = [
                part(f"h{hour}-p{process}", start_s + m * MINUTE_S, 1, MINUTE_S) for m in range(0, 60, 10)
            ]
            log.write(minutes, start_s + 1_800)
            done += 3
        log.tidy(start_s + HOUR_S + GRACE_S + 60)
        # A sum for each hour that has ended, and what the last two hours' processes wrote.
        assert len(log.kept()) <= hour + 1 + 2 * 3 * 7
    now_s = NOON + 40 * HOUR_S + GRACE_S
    assert log.done(now_s) == done == 360
    log.tidy(now_s + NAMED_S + HOUR_S)
    assert len(log.kept()) == 40
    assert not any(b'"of"' in one.value for one in log.kept().values())
    assert log.done(now_s) == done


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 9)), max_size=12),
    st.lists(st.integers(1, 3), max_size=8),
    st.permutations(range(4)),
)
def test_whoever_tidies_up_and_dies_the_sum_stays_right(
    written: list[tuple[int, int, int]], dying: list[int], order: list[int]
) -> None:
    log = Log()
    last = {(hour, process): done for hour, process, done in written}
    for (hour, process), done in last.items():
        log.write([part(f"p{process}", NOON + hour * HOUR_S, done)], NOON)
    now_s = NOON + 5 * HOUR_S
    stale = tidied(log.kept(), now_s)  # another process has read this, and writes it late
    for most in dying:
        log.tidy(now_s, most=most)
        assert log.done(now_s) == sum(last.values())
    sums = [record for record in stale if record.value is not None]
    log.write([sums[at] for at in order if at < len(sums)], now_s)
    assert log.done(now_s) == sum(last.values())
    log.tidy(now_s)
    assert log.done(now_s) == sum(last.values())
    assert len(log.kept()) == len({hour for hour, _ in last})


def test_what_goes_on_stays_and_what_comes_late_is_added() -> None:
    log = Log()
    log.write([part("p", NOON, 1), part("p", NOON, 1, MINUTE_S)], NOON + 30)
    assert log.tidy(NOON + HOUR_S) == 0
    assert log.tidy(NOON + HOUR_S + GRACE_S - 1) == 1  # the end of the minute
    assert log.tidy(NOON + HOUR_S + GRACE_S + 1) == 2  # the sum, and the end of its part
    log.write([part("late", NOON, 5)], NOON + 2 * HOUR_S)
    assert log.done(NOON + 2 * HOUR_S) == 6
    log.tidy(NOON + 2 * HOUR_S)
    assert log.done(NOON + 2 * HOUR_S) == 6
    assert len(log.kept()) == 1


def test_processes_whose_names_have_the_same_crc_are_two() -> None:
    one, other = "host-75be4d1e", "host-4baa5d72"
    assert zlib.crc32(one.encode()) == zlib.crc32(other.encode())
    log = Log()
    log.write([part(one, NOON, 1)], NOON + 30)
    assert log.tidy(NOON + HOUR_S + GRACE_S + 1) == 2
    log.write([part(other, NOON, 5)], NOON + 2 * HOUR_S)
    assert log.done(NOON + 2 * HOUR_S) == 6
    log.tidy(NOON + 2 * HOUR_S)
    assert log.done(NOON + 2 * HOUR_S) == 6


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"hour/x/p", b"{}"),
        (b"hour/1/p", b"junk"),
        (b"\xff", b""),
        (b"", b""),
        (b"hour/\xb2/p", b"{}"),
        (b"hour/" + b"9" * 5_000 + b"/p", b"{}"),
    ],
)
def test_what_others_wrote_is_left_alone(key: bytes, value: bytes) -> None:
    log = Log()
    log.write([Record(key, value, [])], NOON)
    assert tidied(log.kept(), NOON + 100 * HOUR_S) == []
