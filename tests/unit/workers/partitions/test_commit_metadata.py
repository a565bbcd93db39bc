"""The commit's metadata: short, versioned, and harmless where it is not ours."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from workers.partitions.commit_metadata import (
    MAX_CHARS,
    Load,
    decode,
    decode_crash_counts,
    decode_load,
    encode,
)
from workers.partitions.crash_counts import CrashCounts
from workers.partitions.ledger import Progress


@st.composite
def progresses(draw: st.DrawFn) -> Progress:
    position = draw(st.integers(0, 2**40))
    above = draw(st.sets(st.integers(1, 5_000), max_size=200))
    undone = (position, *(position + offset for offset in sorted(above)))
    return Progress(undone, undone[-1] + draw(st.integers(1, 10_000)))


@given(progresses())
@example(Progress((0,), 1))
@example(Progress((7, 8, 9), 10))
@example(Progress((0, 2), 2**40))
def test_what_is_written_is_read_again(progress: Progress) -> None:
    text = encode(progress)
    assert text.isascii()
    assert len(text) <= MAX_CHARS
    known = decode(progress.position, text)
    assert known == progress or (text == "" and known == Progress((), progress.position))


def test_nothing_open_needs_no_metadata() -> None:
    assert encode(Progress((), 10)) == ""


def test_jobs_in_hand_are_told_from_those_that_nobody_has_received() -> None:
    in_hand = Progress((10, 11, 12), 13)
    assert decode(10, encode(in_hand)) == in_hand


def test_a_million_done_behind_one_blocked_job_are_a_few_characters() -> None:
    assert len(encode(Progress((0,), 1_000_000))) < 25


def test_the_shorter_of_runs_and_bitmap_is_written() -> None:
    every_other = Progress(tuple(range(0, 2_000, 2)), 2_000)
    assert encode(every_other).startswith("tw1 b")
    assert len(encode(every_other)) < 100
    sparse = Progress((0, 100_000, 2_000_000), 9_000_000)
    assert encode(sparse).startswith("tw1 r")


def test_what_does_not_fit_counts_as_unknown_never_as_done() -> None:
    chance = random.Random(1)
    undone = tuple(sorted({0, *(chance.randrange(10_000_000) for _ in range(20_000))}))
    text = encode(Progress(undone, 10_000_000))
    assert len(text) <= MAX_CHARS
    known = decode(0, text)
    assert known.undone == undone[: len(known.undone)]
    assert len(known.undone) > 500
    assert known.end <= undone[len(known.undone)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "tw1",
        "tw1 ",
        "tw2 r0",
        "tw1 r",
        "tw1 b",
        "tw1 r\x00",
        "tw1 rééé",
        "tw1 x0000",
        "tw1 b00000",
    ],
)
def test_a_foreign_text_means_that_nothing_is_known(text: str) -> None:
    assert decode(42, text) == Progress((), 42)


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: "tw1 r" + raw.hex()))
def test_no_text_makes_the_reader_fail_or_the_position_move(text: str) -> None:
    known = decode(42, text)
    assert known.position == 42
    assert list(known.undone) == sorted(set(known.undone))


def test_unknown_sections_are_skipped() -> None:
    text = encode(Progress((0, 2), 5))
    magic, section = text.split(" ")
    assert decode(0, f"{magic} zABC {section} y") == Progress((0, 2), 5)


def test_a_cut_text_is_refused() -> None:
    text = encode(Progress(tuple(range(0, 2_000, 2)), 2_000))
    assert decode(0, text) != Progress((), 0)
    assert decode(0, text[:20] + text[25:]) == Progress((), 0)


def test_damage_that_leaves_the_bytes_as_they_are_does_not_pass_either() -> None:
    text = encode(Progress((0,), 636))
    same = [text[:-1] + chr(code) for code in range(33, 127) if chr(code) != text[-1]]
    assert {decode(0, damaged) for damaged in same} == {Progress((), 0)}


@given(progresses(), st.data())
def test_a_damaged_text_or_another_position_does_not_pass(progress: Progress, data: st.DataObject) -> None:
    text = encode(progress)
    assume(text)
    assert decode(progress.position + 1, text).undone == ()
    at = data.draw(st.integers(len("tw1 r"), len(text) - 1))
    damaged = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
    assert decode(progress.position, damaged) == Progress((), progress.position)


@pytest.mark.parametrize("progress", [Progress((), 7), Progress((7, 9), 12)])
@pytest.mark.parametrize("load", [Load(), Load(True), Load(False, 12), Load(True, 3)])
def test_a_commit_tells_the_load_of_its_owner_and_who_that_is(progress: Progress, load: Load) -> None:
    text = encode(progress, CrashCounts(owner="process"), load)
    assert decode_load(text) == load
    assert decode(7, text) == progress
    assert decode_crash_counts(7, text) == CrashCounts(owner="process")


@pytest.mark.parametrize("text", ["", "f", "another f w3", "tw1 w", "tw1 w-3", "tw1 wx"])
def test_a_foreign_text_tells_no_load(text: str) -> None:
    assert decode_load(text) == Load()
