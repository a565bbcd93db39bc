"""The way of a delayed job through the tiers, at any length, in no time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.delays import tiers as delays
from workers.delays.tiers import MARGIN_MS, Tier
from workers.errors import DelayTooLong

DAY_MS = 86_400_000
MAX_MS = 366 * DAY_MS


def journey(eta_ms: int, now_ms: int, lateness_ms: int = 0, lead_ms: int = 0) -> list[tuple[str, int]]:
    """Tier and time of leaving it, until the job is due; each hop comes so much late.

    The cluster's clock is ``lead_ms`` behind that of the mover, who does not know it at the first hop.
    """
    hops: list[tuple[str, int]] = []
    while tier := delays.next_tier(eta_ms, now_ms, lead_ms=lead_ms if hops else 0):
        left_at = delays.release_ms(tier, now_ms - lead_ms, eta_ms)
        now_ms = max(now_ms, left_at + (lateness_ms if tier.wait_ms else 0))
        hops.append((tier.name, now_ms))
    return hops


@given(delay_ms=st.integers(1, MAX_MS), lateness_ms=st.integers(0, 900))
def test_a_job_is_due_exactly_at_its_time_and_waits_last_in_the_exact_tier(
    delay_ms: int, lateness_ms: int
) -> None:
    hops = journey(1_000_000 + delay_ms, 1_000_000, lateness_ms)
    assert hops[-1] == ("soon", 1_000_000 + delay_ms)
    assert len(hops) <= 60


@given(delay_ms=st.integers(1, 90 * DAY_MS))
def test_ninety_days_take_28_hops_at_most(delay_ms: int) -> None:
    assert len(journey(delay_ms, 0)) <= 28


@given(delay_ms=st.integers(1, 90 * DAY_MS), lead_ms=st.integers(0, 30 * DAY_MS))
def test_a_clock_that_is_ahead_of_the_clusters_takes_no_hops_without_end(delay_ms: int, lead_ms: int) -> None:
    hops = journey(delay_ms, 0, lead_ms=lead_ms)
    assert hops[-1] == ("soon", delay_ms)
    assert len(hops) <= 30


@given(delay_ms=st.integers(1, 30 * DAY_MS), skew_ms=st.integers(-DAY_MS, DAY_MS))
def test_a_wrong_clock_of_the_cluster_makes_no_job_late(delay_ms: int, skew_ms: int) -> None:
    # Only the due time is looked at here.
    tier = delays.next_tier(delay_ms, 0)
    assert tier is not None
    if tier.wait_ms:
        assert delays.release_ms(tier, skew_ms, delay_ms) <= delay_ms - MARGIN_MS
    else:
        assert delays.release_ms(tier, skew_ms, delay_ms) == delay_ms


@pytest.mark.parametrize(
    ("remaining_ms", "tier"),
    [
        (1, "soon"),
        (60_000, "soon"),
        (60_000 + MARGIN_MS - 1, "soon"),
        (60_000 + MARGIN_MS, "1m"),
        (3_600_000 + MARGIN_MS, "1h"),
        (12 * DAY_MS, "3d"),
        (MAX_MS, "12d"),
    ],
)
def test_a_job_enters_the_largest_tier_that_is_not_longer_than_what_remains(
    remaining_ms: int, tier: str
) -> None:
    found = delays.next_tier(5_000 + remaining_ms, 5_000)
    assert found is not None
    assert found.name == tier


@pytest.mark.parametrize("eta_ms", [0, 4_999, 5_000])
def test_what_is_due_enters_no_tier(eta_ms: int) -> None:
    assert delays.next_tier(eta_ms, 5_000) is None


def test_a_delay_is_counted_from_now_and_none_is_due_at_once() -> None:
    assert delays.eta_of(250, 1_000, MAX_MS) == 1_250
    assert delays.eta_of(0, 1_000, MAX_MS) is None
    assert delays.eta_of(-5, 1_000, MAX_MS) is None
    assert delays.eta_of(MAX_MS, 0, MAX_MS) == MAX_MS


def test_a_delay_that_is_too_long_is_refused_with_the_limit() -> None:
    with pytest.raises(DelayTooLong, match=r"400 days.* 366 days allowed.*WORKER_MAX_DELAY"):
        delays.eta_of(400 * DAY_MS, 0, MAX_MS)


def test_other_tiers_work_the_same() -> None:
    tiers = (Tier("soon", 0), Tier("half", 500))
    half, soon = delays.next_tier(1_500, 0, tiers), delays.next_tier(1_499, 0, tiers)
    assert half is not None
    assert soon is not None
    assert (half.name, soon.name) == ("half", "soon")
