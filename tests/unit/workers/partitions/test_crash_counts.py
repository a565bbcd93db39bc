"""Which jobs are suspected of having killed their process, and how commits record that."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from workers.partitions.commit_metadata import decode, decode_crash_counts, encode
from workers.partitions.crash_counts import GIVEN_UP_FROM, PRESUMED, WINDOW, CrashCounter, CrashCounts
from workers.partitions.ledger import Progress


def hand_out(counter: CrashCounter, offsets: Iterable[int]) -> dict[int, int]:
    """Commit and hand out as a consumer does, all jobs staying in hand; returns the deaths each has seen."""
    waiting, seen = list(offsets), {}
    while waiting:
        if counter.is_calm:  # then nobody asks further
            assert (counter.must_commit_before(waiting[0]), counter.deaths_of(waiting[0])) == (False, 0)
        if counter.must_commit_before(waiting[0]):
            counter.plan_window(waiting)
            counter.committed()
        seen[waiting[0]] = counter.deaths_of(waiting[0])
        waiting.pop(0)
    return seen


def test_a_partition_that_was_handed_over_suspects_nobody() -> None:
    counter = CrashCounter(CrashCounts())
    assert counter.must_commit_before(10)  # it is to be held from now on
    was_calm = counter.is_calm
    assert set(hand_out(counter, range(10, 2_000)).values()) == {0}
    assert (was_calm, counter.is_calm) == (False, True)
    assert counter.to_commit(held=True) == CrashCounts(held=True)
    assert counter.to_commit(held=False) == CrashCounts()


def test_a_partition_whose_owner_died_suspects_its_next_jobs() -> None:
    seen = hand_out(CrashCounter(CrashCounts(held=True)), range(5_000))
    assert [offset for offset, deaths in seen.items() if deaths] == list(range(PRESUMED))
    assert set(seen.values()) == {0, 1}


def test_each_window_is_committed_before_it_starts() -> None:
    counter = CrashCounter(CrashCounts(held=True))
    assert counter.must_commit_before(0)
    counter.plan_window(range(100))
    assert counter.must_commit_before(0)  # planned is not committed
    counter.committed()
    assert not counter.must_commit_before(WINDOW - 1)
    assert counter.must_commit_before(WINDOW)
    assert counter.to_commit(held=True).deaths == dict.fromkeys(range(WINDOW), 2)


def test_a_job_that_kills_every_time_runs_alone_after_two_deaths_and_is_given_up_after_three() -> None:
    killer, neighbours = 7, range(20)
    first = CrashCounter(CrashCounts())
    hand_out(first, neighbours)
    second = CrashCounter(first.to_commit(held=True))
    assert hand_out(second, neighbours)[killer] == 1
    third = CrashCounter(second.to_commit(held=True))
    assert set(hand_out(third, neighbours).values()) == {2}
    for innocent in neighbours:
        if innocent != killer:
            third.plan_alone(innocent)
            third.committed()
            third.done(innocent)
    third.plan_alone(killer)
    third.committed()
    fourth = CrashCounter(third.to_commit(held=True))
    assert hand_out(fourth, [killer, 20, 21]) == {killer: GIVEN_UP_FROM, 20: 1, 21: 1}


def test_a_suspect_that_waits_to_run_alone_is_not_blamed_for_a_death_meanwhile() -> None:
    counter = CrashCounter(CrashCounts(held=True, deaths={5: 2}))
    hand_out(counter, range(4, 8))
    assert counter.to_commit(held=True).deaths[5] == 2
    counter.plan_alone(5)
    assert counter.to_commit(held=True).deaths[5] == 3
    counter.unplan_alone(5)
    assert counter.to_commit(held=True).deaths[5] == 2


def test_deaths_are_remembered_when_a_partition_is_handed_over_and_forgotten_with_the_job() -> None:
    counter = CrashCounter(CrashCounts(deaths={5: 2, 6: 1}))
    hand_out(counter, [5, 6])
    assert counter.to_commit(held=False) == CrashCounts(held=False, deaths={5: 2, 6: 1})
    counter.done(6)
    inherited = counter.to_commit(held=False)
    assert inherited == CrashCounts(held=False, deaths={5: 2})
    successor = CrashCounter(inherited)
    assert hand_out(successor, [5, 6]) == {5: 2, 6: 0}


def test_an_owner_that_leaves_early_keeps_suspecting_what_it_has_not_run() -> None:
    first = CrashCounter(CrashCounts(held=True))
    hand_out(first, range(10))
    for offset in range(10):
        first.done(offset)
    left = first.to_commit(held=False)
    assert left == CrashCounts(held=True)
    second = CrashCounter(left)
    assert set(hand_out(second, range(10, PRESUMED)).values()) == {1}, (
        "once for all deaths, however often it moves"
    )
    hand_out(second, range(PRESUMED, PRESUMED + 20))
    assert not second.to_commit(held=False).held


def test_the_mark_of_a_process_that_lives_counts_no_death() -> None:
    owner = CrashCounter(CrashCounts(deaths={3: 1}))
    hand_out(owner, range(6))
    mark = owner.to_commit(held=True, owner="a")
    assert mark == CrashCounts(True, {0: 1, 1: 1, 2: 1, 3: 2}, "a")
    assert mark.if_it_lives() == CrashCounts(deaths={3: 1})
    assert decode_crash_counts(0, encode(Progress((0, 3), 6), mark)) == mark


@given(
    position=st.integers(0, 2**40),
    held=st.booleans(),
    above=st.dictionaries(st.integers(0, 10_000), st.integers(1, 3), max_size=64),
    undone=st.sets(st.integers(1, 1_000), max_size=100),
)
def test_crash_counts_travel_with_the_progress(
    position: int, held: bool, above: dict[int, int], undone: set[int]
) -> None:
    crashes = CrashCounts(held, {position + offset: deaths for offset, deaths in above.items()})
    offsets = (position, *sorted(position + offset for offset in undone))
    progress = Progress(offsets, offsets[-1] + 1)
    text = encode(progress, crashes)
    assert text.isascii()
    assert decode_crash_counts(position, text) == crashes
    assert decode(position, text) == progress
    assert decode_crash_counts(position + 1, text) == CrashCounts()
    assert decode_crash_counts(position, encode(Progress((), position), crashes)) == crashes


def test_what_is_not_ours_means_no_crashes() -> None:
    for text in ("", "tw1", "tw1 d", "tw1 dnonsense", "tw2 d", "by another consumer", "tw1 d" + "~" * 40):
        assert decode_crash_counts(3, text) == CrashCounts()
