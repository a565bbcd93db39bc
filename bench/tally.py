"""Counts the jobs that ran, in the process that runs them."""

from __future__ import annotations

import itertools
import threading
import time

#: A run is cut into so many parts of the same number of jobs, to see whether its rate is flat.
PARTS = 10


class Tally:
    """Counts to ``total``; jobs of any thread call it, and its cost of some 0.2 us is the same for all pools.

    The clock is the machine's monotonic one: its times compare between processes.
    """

    def __init__(self, total: int) -> None:
        if total % PARTS:
            raise ValueError(f"{total} jobs cannot be cut into {PARTS} parts")
        self.total = total
        self.done = threading.Event()
        self._count = itertools.count(1)
        self._part = total // PARTS
        self._marks: dict[int, float] = {}

    def begin(self) -> None:
        """Note the start of a job, where jobs are so long that it matters."""
        self._marks.setdefault(0, time.monotonic())

    def tick(self) -> None:
        """Note that a job ran."""
        number = next(self._count)
        if number == 1:
            self._marks.setdefault(0, time.monotonic())
        if number % self._part == 0:
            self._marks[number // self._part] = time.monotonic()
            if number == self.total:
                self.done.set()

    @property
    def count(self) -> int:
        """How many jobs ran so far; ends the counting."""
        return next(self._count) - 1

    def marks(self) -> list[float]:
        """When the first job ran, and when each part was done."""
        return [self._marks[part] for part in range(PARTS + 1)]


def rates(marks: list[float], total: int) -> list[float]:
    """Jobs per second of each part."""
    part = total / (len(marks) - 1)
    return [part / (end - start) for start, end in itertools.pairwise(marks)]


def overall_rate(marks: list[float], total: int) -> float:
    """Jobs per second from the first job to the last."""
    return total / (marks[-1] - marks[0])
