"""What the broker hooks into dramatiq's worker process."""

from __future__ import annotations

import signal
from types import FrameType

from workers.middleware.stops_once import OneStop


def passed_on(*times: float) -> list[float]:
    """Which of the signals that come at ``times`` the worker gets."""
    got: list[float] = []
    now = list(times)

    def stop(signum: int, frame: FrameType | None) -> None:
        got.append(now[0])

    once = OneStop(stop, clock=lambda: now[0])
    while now:
        once(signal.SIGTERM, None)
        now.pop(0)
    return got


def test_a_signal_that_comes_again_by_another_way_is_the_same_stop() -> None:
    assert passed_on(100.0, 100.2) == [100.0]


def test_who_insists_kills_the_worker() -> None:
    assert passed_on(100.0, 110.0) == [100.0, 110.0]
    assert passed_on(100.0, 100.2, 100.4) == [100.0, 100.4]
