"""Who runs is told by the times of the records, not by a clock that may be wrong."""

from __future__ import annotations

from workers.fleet.cluster_clock import ClusterClock

NOW_MS = 1_700_000_000_000


class Clocks:
    """The own clock, so many seconds wrong, and the monotonic one."""

    def __init__(self, wrong_s: float) -> None:
        self.passed_s = 0.0
        self._wrong_s = wrong_s
        self.cluster = ClusterClock(self._own, lambda: 7 + self.passed_s)

    def _own(self) -> float:
        return NOW_MS / 1000 + self._wrong_s + self.passed_s


def test_before_any_record_it_is_the_own_clock() -> None:
    assert Clocks(60).cluster.now_ms() == NOW_MS + 60_000


def test_it_goes_on_from_the_newest_record_if_the_own_clock_is_behind() -> None:
    clocks = Clocks(-60)
    clocks.cluster.note(NOW_MS, is_new=False)
    clocks.cluster.note(NOW_MS - 3_000, is_new=False)
    clocks.passed_s = 25
    assert clocks.cluster.now_ms() == NOW_MS + 25_000


def test_an_old_record_is_not_taken_for_now() -> None:
    clocks = Clocks(0)
    clocks.cluster.note(NOW_MS - 3_600_000, is_new=False)
    assert clocks.cluster.now_ms() == NOW_MS
    assert not clocks.cluster.is_heard


def test_a_record_that_comes_sets_an_own_clock_right_that_is_ahead() -> None:
    clocks = Clocks(60)
    clocks.cluster.note(NOW_MS - 3_000, is_new=False)
    clocks.passed_s = 2
    clocks.cluster.note(NOW_MS + 2_000, is_new=True)
    clocks.passed_s = 30
    assert clocks.cluster.is_heard
    assert clocks.cluster.now_ms() == NOW_MS + 30_000


def test_a_record_without_a_time_tells_nothing() -> None:
    clocks = Clocks(60)
    clocks.cluster.note(-1, is_new=True)
    assert not clocks.cluster.is_heard
    assert clocks.cluster.now_ms() == NOW_MS + 60_000
