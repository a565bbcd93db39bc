"""Measures jobs from inside the jobs."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import NotMeasured

#: Jobs have come to a halt if none has run for this long.
STALLED_S = 20.0


class Meter:
    """Counts jobs as they run, from any thread: the first starts the clock, the last stops it."""

    def __init__(self, jobs: int) -> None:
        self._last = jobs - 1
        self._numbers = itertools.count()
        self._latest = -1
        self._began = self._ended = 0.0
        self._done = threading.Event()

    def tick(self) -> None:
        """Count a job that has run. It costs about as much as a function call."""
        self._latest = number = next(self._numbers)
        if number == 0:
            self._began = time.perf_counter()
        elif number == self._last:
            self._ended = time.perf_counter()
            self._done.set()

    def rate(self) -> float:
        """Jobs per second, once all have run. Raises NotMeasured if they come to a halt before."""
        seen = None
        while not self._done.wait(STALLED_S):
            if self._latest == seen:
                raise NotMeasured(f"came to a halt after {self._latest + 1} of {self._last + 1} jobs")
            seen = self._latest
        return self._last / (self._ended - self._began)


class Stopwatch:
    """Seconds between entering and leaving ``running``."""

    seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds = time.perf_counter() - began
