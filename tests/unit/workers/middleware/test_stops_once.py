"""The broker's hook in dramatiq's worker process."""

from __future__ import annotations

import signal
from types import FrameType

from workers.middleware.stops_once import OneStop

HUP, TERM = signal.SIGHUP, signal.SIGTERM


def passed_on(*signals: tuple[signal.Signals, float]) -> list[float]:
    """The times of those signals that the worker gets."""
    got: list[float] = []
    now = 0.0

    def stop(signum: int, frame: FrameType | None) -> None:
        got.append(now)

    once = OneStop(stop, clock=lambda: now)
    for signum, now in signals:  # noqa: B007
        once(signum, None)
    return got


def test_a_signal_that_comes_again_by_another_way_is_the_same_stop() -> None:
    assert passed_on((TERM, 100.0), (TERM, 100.2)) == [100.0]


def test_who_insists_kills_the_worker() -> None:
    assert passed_on((TERM, 100.0), (TERM, 110.0)) == [100.0, 110.0]
    assert passed_on((TERM, 100.0), (TERM, 100.2), (TERM, 100.4)) == [100.0, 100.4]


def test_a_reload_that_is_ordered_again_and_again_kills_nobody() -> None:
    assert passed_on((HUP, 100.0), (HUP, 100.0), (HUP, 100.1), (HUP, 130.0)) == [100.0]
    assert passed_on((TERM, 100.0), (HUP, 130.0)) == [100.0]


def test_a_stop_while_a_reload_is_under_way_waits_for_the_jobs_too() -> None:
    assert passed_on((HUP, 100.0), (TERM, 110.0), (TERM, 111.0)) == [100.0]
    assert passed_on((HUP, 100.0), (TERM, 110.0), (TERM, 120.0)) == [100.0, 120.0]
