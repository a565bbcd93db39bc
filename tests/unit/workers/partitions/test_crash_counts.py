"""Which jobs are suspected of having killed their process, and how the commits tell."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from workers.partitions.commit_metadata import decode, decode_custody, encode
from workers.partitions.crash_counts import GIVEN_UP_FROM, PRESUMED, WINDOW, Custody, Suspicion
from workers.partitions.ledger import Progress


def hand_out(suspicion: Suspicion, offsets: Iterable[int]) -> dict[int, int]:
    """Tell and hand out as a consumer does, all jobs staying in hand; returns the deaths each has seen."""
    waiting, seen = list(offsets), {}
    while waiting:
        if suspicion.must_tell(waiting[0]):
            suspicion.plan(waiting)
            suspicion.told()
        seen[waiting[0]] = suspicion.deaths_of(waiting[0])
        waiting.pop(0)
    return seen


def test_a_partition_that_was_handed_over_suspects_nobody() -> None:
    suspicion = Suspicion(Custody())
    assert suspicion.must_tell(10)  # that it is held from now on
    assert set(hand_out(suspicion, range(10, 2_000)).values()) == {0}
    assert suspicion.custody(held=True) == Custody(held=True)
    assert suspicion.custody(held=False) == Custody()


def test_a_partition_whose_owner_died_suspects_its_next_jobs() -> None:
    seen = hand_out(Suspicion(Custody(held=True)), range(5_000))
    assert [offset for offset, deaths in seen.items() if deaths] == list(range(PRESUMED))
    assert set(seen.values()) == {0, 1}


def test_each_window_is_told_before_it_starts() -> None:
    suspicion = Suspicion(Custody(held=True))
    assert suspicion.must_tell(0)
    suspicion.plan(range(100))
    assert suspicion.must_tell(0)  # planned is not told
    suspicion.told()
    assert not suspicion.must_tell(WINDOW - 1)
    assert suspicion.must_tell(WINDOW)
    assert suspicion.custody(held=True).deaths == dict.fromkeys(range(WINDOW), 2)


def test_a_job_that_kills_every_time_runs_alone_after_two_deaths_and_is_given_up_after_three() -> None:
    killer, neighbours = 7, range(20)
    first = Suspicion(Custody())
    hand_out(first, neighbours)
    second = Suspicion(first.custody(held=True))
    assert hand_out(second, neighbours)[killer] == 1
    third = Suspicion(second.custody(held=True))
    assert set(hand_out(third, neighbours).values()) == {2}
    for innocent in neighbours:
        if innocent != killer:
            third.plan_alone(innocent)
            third.told()
            third.done(innocent)
    third.plan_alone(killer)
    third.told()
    fourth = Suspicion(third.custody(held=True))
    assert hand_out(fourth, [killer, 20, 21]) == {killer: GIVEN_UP_FROM, 20: 1, 21: 1}


def test_a_suspect_that_waits_to_run_alone_is_not_blamed_for_a_death_meanwhile() -> None:
    suspicion = Suspicion(Custody(held=True, deaths={5: 2}))
    hand_out(suspicion, range(4, 8))
    assert suspicion.custody(held=True).deaths[5] == 2
    suspicion.plan_alone(5)
    assert suspicion.custody(held=True).deaths[5] == 3
    suspicion.unplan_alone(5)
    assert suspicion.custody(held=True).deaths[5] == 2


def test_deaths_are_remembered_when_a_partition_is_handed_over_and_forgotten_with_the_job() -> None:
    suspicion = Suspicion(Custody(held=True, deaths={5: 2, 6: 1}))
    hand_out(suspicion, [5, 6])
    assert suspicion.custody(held=False) == Custody(held=False, deaths={5: 2, 6: 1})
    suspicion.done(6)
    inherited = suspicion.custody(held=False)
    assert inherited == Custody(held=False, deaths={5: 2})
    successor = Suspicion(inherited)
    assert hand_out(successor, [5, 6]) == {5: 2, 6: 0}


@given(
    position=st.integers(0, 2**40),
    held=st.booleans(),
    above=st.dictionaries(st.integers(0, 10_000), st.integers(1, 3), max_size=64),
    undone=st.sets(st.integers(1, 1_000), max_size=100),
)
def test_custody_rides_beside_progress(
    position: int, held: bool, above: dict[int, int], undone: set[int]
) -> None:
    custody = Custody(held, {position + offset: deaths for offset, deaths in above.items()})
    offsets = (position, *sorted(position + offset for offset in undone))
    progress = Progress(offsets, offsets[-1] + 1)
    text = encode(progress, custody)
    assert text.isascii()
    assert decode_custody(position, text) == custody
    assert decode(position, text) == progress
    assert decode_custody(position + 1, text) == Custody()
    assert decode_custody(position, encode(Progress((), position), custody)) == custody


def test_what_is_not_ours_tells_of_no_custody() -> None:
    for text in ("", "tw1", "tw1 d", "tw1 dnonsense", "tw2 d", "by another consumer", "tw1 d" + "~" * 40):
        assert decode_custody(3, text) == Custody()
