"""Treats the two signals that a worker process may get for one stop as one."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

import dramatiq

#: How long after a first signal a second one may mean the same stop.
_ONE_STOP_S = 5.0


class StopsOnce(dramatiq.Middleware):
    """Lets a worker process of dramatiq's command finish its jobs when its whole process group is signalled.

    honcho and systemd signal a whole process group. That reaches a worker process twice: directly, and
    through dramatiq's main process, which passes the signal on. dramatiq takes the second signal for an order
    to exit at once, and another worker would repeat the jobs that run.
    """

    def after_process_boot(self, broker: dramatiq.Broker) -> None:  # noqa: ARG002
        stop = signal.getsignal(signal.SIGTERM)
        if not callable(stop):
            return
        once = OneStop(stop)
        for signum in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(signum) is stop:
                signal.signal(signum, once)


class OneStop:
    """A signal handler that passes on each signal except a second one that follows soon."""

    def __init__(
        self, handler: Callable[[int, FrameType | None], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._handler = handler
        self._clock = clock
        self._count = 0
        self._first_at = 0.0

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count == 1:
            self._first_at = self._clock()
        elif self._count == 2 and self._clock() - self._first_at < _ONE_STOP_S:
            return
        self._handler(signum, frame)
