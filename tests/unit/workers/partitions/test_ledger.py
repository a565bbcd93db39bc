"""The ledger: what may be committed while jobs finish in any order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.partitions.ledger import Ledger, Progress


def fresh(position: int = 0) -> Ledger:
    return Ledger(Progress((), position))


def ledger_with(*offsets: int) -> Ledger:
    ledger = fresh(offsets[0])
    for offset in offsets:
        assert ledger.receive(offset)
    return ledger


def test_position_is_the_lowest_offset_that_is_not_done() -> None:
    ledger = ledger_with(5, 6, 7)
    ledger.done(7)
    ledger.done(6)
    assert ledger.progress() == Progress((5,), 8)
    assert ledger.progress().position == 5
    ledger.done(5)
    assert ledger.progress().position == 8


def test_offsets_that_the_log_skips_count_as_done() -> None:
    ledger = ledger_with(0, 4, 9)
    ledger.done(0)
    assert ledger.progress() == Progress((4, 9), 10)
    ledger.done(4)
    ledger.done(9)
    assert ledger.progress() == Progress((), 10)


def test_a_repeated_or_unknown_ack_changes_nothing() -> None:
    ledger = ledger_with(0, 1)
    assert ledger.done(0)
    assert not ledger.done(0)
    assert not ledger.done(17)
    assert (ledger.progress().position, ledger.open_count) == (1, 1)


def test_an_offset_cannot_be_received_twice() -> None:
    ledger = ledger_with(3)
    with pytest.raises(ValueError, match="3"):
        ledger.receive(3)


def test_what_an_earlier_owner_has_done_is_not_run_again() -> None:
    ledger = Ledger(Progress((2, 5), 8))
    assert [ledger.receive(offset) for offset in range(2, 10)] == [
        *(True, False, False, True, False, False),
        *(True, True),
    ]


def test_what_an_earlier_owner_has_done_stays_known_until_it_is_passed() -> None:
    ledger = Ledger(Progress((2, 5), 8))
    assert ledger.receive(2)
    ledger.done(2)
    assert ledger.progress() == Progress((5,), 8)
    for offset in range(3, 9):
        ledger.receive(offset)
    assert ledger.progress() == Progress((5, 8), 9)


def test_in_brief_what_is_open_behind_the_last_done_is_left_out() -> None:
    ledger = ledger_with(4, 5, 6, 7)
    assert ledger.progress(brief=True) == Progress((), 4)
    ledger.done(5)
    assert ledger.progress(brief=True) == Progress((4,), 6)
    assert ledger.progress() == Progress((4, 6, 7), 8)
    ledger.receive(10)
    assert ledger.progress(brief=True) == Progress((4, 6, 7), 10)
    for offset in (4, 6, 7, 10):
        ledger.done(offset)
    assert ledger.progress(brief=True) == Progress((), 11)


def test_in_brief_what_an_earlier_owner_has_done_stays_known() -> None:
    ledger = Ledger(Progress((2, 5), 8))
    ledger.receive(2)
    assert ledger.progress(brief=True) == Progress((2, 5), 8)
    for offset in range(3, 10):
        ledger.receive(offset)
    assert ledger.progress(brief=True) == Progress((2, 5), 8)


def test_memory_does_not_grow_behind_a_blocked_job() -> None:
    ledger = ledger_with(0)
    for offset in range(1, 100_000):
        ledger.receive(offset)
        ledger.done(offset)
    assert ledger.open_count == 1
    assert ledger.progress() == Progress((0,), 100_000)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=60), st.integers(0, 70), st.booleans(), st.data())
def test_nothing_undone_is_ever_committed_and_nothing_done_is_run_again(
    steps: list[int], crash_after: int, brief: bool, data: st.DataObject
) -> None:
    """Offsets finish in any order, the owner is lost once on the way, the next one gets its last commit."""
    offsets = list(itertools.accumulate(steps))
    ledger, done, ran = fresh(), set[int](), []
    received = iter(offsets)
    waiting: list[int] = []
    for turn in itertools.count():
        progress = ledger.progress(brief=brief)
        assert all(offset in done for offset in offsets if offset < progress.position)
        assert all(
            offset in done for offset in offsets if offset < progress.end and offset not in progress.undone
        )
        if turn == crash_after:
            ledger = Ledger(progress)
            received = iter([offset for offset in offsets if offset >= progress.position])
            waiting = []
        if not waiting or data.draw(st.booleans()):
            offset = next(received, None)
            if offset is not None:
                if ledger.receive(offset):
                    waiting.append(offset)
                continue
            if not waiting:
                break
        waiting.remove(finished := data.draw(st.sampled_from(waiting)))
        assert ledger.done(finished)
        done.add(finished)
        ran.append(finished)
    assert sorted(ran) == offsets
    assert ledger.progress() == Progress((), offsets[-1] + 1)


def test_what_the_log_has_no_record_of_counts_as_done() -> None:
    ledger = Ledger(Progress((5, 8), 12))
    assert ledger.receive(5)
    ledger.skip_to(20)  # 8 was deleted, and 12 to 19 are markers
    assert ledger.progress() == Progress((5,), 20)
    ledger.skip_to(10)
    assert ledger.done(5)
    assert ledger.progress() == ledger.progress(brief=True) == Progress((), 20)
    assert ledger.receive(20)
