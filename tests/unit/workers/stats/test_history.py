"""The history: what a process writes, and what charts show of all processes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from workers.measures.families import Labels
from workers.measures.jobs import Figures, Outcome
from workers.measures.metrics import SECONDS
from workers.stats.figures import NOTHING, Counts
from workers.stats.history import history, is_shown
from workers.stats.record import HOUR_S, MINUTE_S, Part, decode, encode
from workers.stats.recorder import Recorder

#: The beginning of an hour.
NOON = 1_800_000_000 // HOUR_S * HOUR_S
WRITE: Labels = ("letters", "write")


def counts(done: int, *, dead: int = 0, took_s: float = 0.2) -> Counts:
    buckets = [0] * (len(SECONDS) + 1)
    buckets[next(index for index, bound in enumerate(SECONDS) if took_s <= bound)] = done
    outcomes = [0] * len(Outcome)
    outcomes[Outcome.DONE] = done
    return Counts.of(Figures(outcomes, buckets, buckets, done * took_s, done * took_s), dead)


def by_length(parts: list[Part]) -> Mapping[int, tuple[int, int]]:
    return {part.length_s: (part.start_s - NOON, part.counts[WRITE].done) for part in parts}


def test_a_process_writes_what_it_counted_in_each_minute_and_hour() -> None:
    recorder = Recorder("p", NOON + 30.0)
    assert by_length(recorder.parts({WRITE: counts(5)}, NOON + 30.0)) == {MINUTE_S: (0, 5), HOUR_S: (0, 5)}
    assert recorder.parts({WRITE: counts(5)}, NOON + 41.0) == []  # nothing new
    assert by_length(recorder.parts({WRITE: counts(8)}, NOON + 51.0)) == {MINUTE_S: (0, 8)}  # in its place
    assert by_length(recorder.parts({WRITE: counts(9)}, NOON + 60.0)) == {MINUTE_S: (0, 9)}  # its last
    assert by_length(recorder.parts({WRITE: counts(11)}, NOON + 70.0)) == {
        MINUTE_S: (60, 2)
    }  # the next minute
    ended = recorder.parts({WRITE: counts(12)}, NOON + HOUR_S)
    assert by_length(ended) == {MINUTE_S: (60, 3), HOUR_S: (0, 12)}
    assert by_length(recorder.parts({WRITE: counts(13)}, NOON + HOUR_S + 10)) == {
        MINUTE_S: (HOUR_S, 1),
    }


def test_a_process_that_ends_writes_what_could_wait() -> None:
    recorder = Recorder("p", NOON)
    recorder.parts({WRITE: counts(1)}, NOON)
    assert by_length(recorder.parts({WRITE: counts(2)}, NOON + 1.0, all_of_it=True)) == {
        MINUTE_S: (0, 2),
        HOUR_S: (0, 2),
    }


@pytest.mark.parametrize(("now_s", "wait_s"), [(NOON, 10), (NOON + 55.0, 5), (NOON + 45.0, 10)])
def test_a_minute_is_closed_at_its_end(now_s: float, wait_s: float) -> None:
    assert Recorder("p", NOON).wait_s(now_s) == wait_s


def test_processes_are_added_up_and_a_restarted_one_is_another() -> None:
    parts = [
        Part("a", NOON, MINUTE_S, {WRITE: counts(1)}),
        Part("b", NOON, MINUTE_S, {WRITE: counts(2), ("letters", "read"): counts(10)}),
        Part("a", NOON - MINUTE_S, MINUTE_S, {WRITE: counts(5, dead=3)}),
        Part("a", NOON, HOUR_S, {WRITE: counts(100)}),
    ]
    found = history(parts, NOON + 30.0)
    detail = found.slots("detail", queue="letters", actor="write")
    assert [(slot.start_s - NOON, slot.counts.done, slot.counts.dead) for slot in detail[-3:]] == [
        (-120, 0, 0),
        (-60, 5, 3),
        (0, 3, 0),
    ]
    assert len(detail) == 60
    assert detail[-1].per_s(found.now_s) == pytest.approx(3 / 30)
    assert detail[-2].per_s(found.now_s) == pytest.approx(8 / 60)
    assert found.slots("detail")[-1].counts.done == 13  # of all actors
    assert found.slots("coarse")[-1].counts.done == 100
    assert len(found.slots("coarse")) == 720
    assert found.totals("detail")[WRITE].done == 8
    assert found.totals("coarse")[WRITE].done == 100


@pytest.mark.parametrize(
    ("age_s", "length_s", "shown"),
    [
        (3_600, MINUTE_S, True),
        (3_700, MINUTE_S, False),
        (719 * HOUR_S, HOUR_S, True),
        (722 * HOUR_S, HOUR_S, False),
    ],
)
def test_what_no_slot_shows_is_forgotten(age_s: int, length_s: int, shown: bool) -> None:
    assert is_shown(Part("a", NOON, length_s, {}), NOON + age_s) == shown


def test_times_are_estimated_from_buckets_as_prometheus_does() -> None:
    one = counts(100, took_s=0.2)
    assert one.mean_duration_s == pytest.approx(0.2)
    assert one.duration_s(0.5) == pytest.approx(0.175)  # the bucket from 0.1 to 0.25
    assert one.plus(counts(100, took_s=20.0)).wait_s(0.99) == pytest.approx(29.6)
    assert NOTHING.duration_s(0.5) is NOTHING.mean_wait_s is None


def test_a_record_is_read_back_and_a_later_one_of_the_slot_has_its_key() -> None:
    part = Part("p", NOON, MINUTE_S, {WRITE: counts(7, took_s=0.123)})
    record = encode(part)
    assert decode(record.key, record.value) == part
    assert encode(part._replace(counts={})).key == record.key
    assert encode(part._replace(start_s=NOON + 60)).key != record.key
    assert encode(part._replace(start_s=NOON + HOUR_S)).key == record.key  # the slots go round
    assert (
        encode(part._replace(length_s=HOUR_S, start_s=NOON + HOUR_S)).key
        != encode(part._replace(length_s=HOUR_S)).key
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"minute/1/p", b"{"),
        (b"minute/1/p", b"[]"),
        (b"minute/1/p", b'{"version": 2, "start": 0, "length": 60, "counts": []}'),
        (b"minute/1/p", b'{"version": 1, "start": 0, "length": 61, "counts": []}'),
        (b"minute/1/p", b'{"version": 1, "start": 0, "length": 60, "counts": [["q", "a", [1]]]}'),
        (b"p", b'{"version": 1, "start": 0, "length": 60, "counts": []}'),
        (b"minute/1/p", None),
        (None, b"{}"),
        (b"\xff/1/p", b"{}"),
    ],
)
def test_what_others_wrote_is_refused(key: bytes | None, value: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"part|version|numbers|Expecting|unpack"):
        decode(key, value)


@pytest.mark.parametrize("number", ["Infinity", "NaN", "1e999", "1e300", "9" * 400, '"x"', "null"])
@pytest.mark.parametrize("place", ["start", "counts"])
def test_a_number_that_breaks_the_sums_makes_a_record_no_part(place: str, number: str) -> None:
    record = encode(Part("p", NOON, HOUR_S, {WRITE: counts(7)}))
    value = record.value or b""
    old = b'"start":%d' % NOON if place == "start" else b"[7,"
    new = (f'"start":{number}' if place == "start" else f"[{number},").encode()
    assert old in value
    with pytest.raises(ValueError, match=r"no number|no whole number"):
        decode(record.key, value.replace(old, new))
