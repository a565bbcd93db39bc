"""Treats the signals that a worker process may get for one stop as one."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

import dramatiq

#: How long after a first SIGTERM a second one may mean the same stop.
_ONE_STOP_S = 5.0


class StopsOnce(dramatiq.Middleware):
    """Lets a worker process of dramatiq's command finish its jobs when it gets several signals for one stop.

    dramatiq takes a second signal as an order to exit at once, and another worker would repeat the jobs that
    run. But honcho and systemd signal a whole process group, which reaches a worker process twice: directly,
    and through dramatiq's main process, which passes the signal on. And with ``--watch`` a file that is saved
    once is seen as created, changed and closed: three orders to reload.
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
    """A signal handler that passes on the first signal, and a later one only if somebody insists.

    Somebody insists with a SIGTERM that follows another one, unless that is the same stop by another way. A
    SIGHUP never insists: an editor that saves files while ``--watch`` reloads sends many.
    """

    def __init__(
        self, handler: Callable[[int, FrameType | None], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._handler = handler
        self._clock = clock
        self._stopping = False
        self._terminations = 0
        self._first_at = 0.0

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self._is_another_stop(signum):
            self._stopping = True
            self._handler(signum, frame)

    def _is_another_stop(self, signum: int) -> bool:
        if signum == signal.SIGTERM:
            self._terminations += 1
            if self._terminations == 1:
                self._first_at = self._clock()
            elif self._terminations > 2 or self._clock() - self._first_at >= _ONE_STOP_S:
                return True
        return not self._stopping
