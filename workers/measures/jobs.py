"""Measures the jobs of this process: how many ended and how, how long they waited and ran, which run now.

It is in the path of every job, so all figures of a job are noted at once, in about a microsecond.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from .families import Family, Labels
from .metrics import SECONDS, add_source, bounded

_LABELS = ("queue", "actor")


class Outcome(IntEnum):
    """How a job ended. In Prometheus' label ``outcome``, in lower case."""

    DONE = 0
    #: It failed, and is tried again.
    RETRIED = 1
    #: It became a dead letter.
    DEAD = 2
    #: A middleware skipped it.
    SKIPPED = 3


class Job(Protocol):
    """A job that is measured."""

    queue_name: str
    actor_name: str
    #: When it started, by ``time.perf_counter``; set by :meth:`JobMeasures.started`.
    began_at: float
    #: Where it is counted while it runs; the same.
    cells: Cells | None


class Figures(NamedTuple):
    """The figures of one actor of a queue; ``durations`` and ``waits`` are counts by bucket of `SECONDS`."""

    outcomes: Sequence[int]
    durations: Sequence[int]
    waits: Sequence[int]
    duration_sum_s: float
    wait_sum_s: float


class Cells:
    """What is counted of one actor of a queue."""

    __slots__ = ("duration_sum", "durations", "outcomes", "running", "wait_sum", "waits")

    def __init__(self) -> None:
        self.outcomes = [0] * len(Outcome)
        self.durations = [0] * (len(SECONDS) + 1)
        self.waits = [0] * (len(SECONDS) + 1)
        self.duration_sum = self.wait_sum = 0.0
        self.running = 0


class JobMeasures:
    """The figures of jobs by queue and actor. Safe for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cells: dict[Labels, Cells] = {}

    def started(self, job: Job) -> None:
        """Note that a job begins to run."""
        labels = job.queue_name, job.actor_name
        cells = job.cells = self._cells.get(labels) or self._new(labels)
        with self._lock:
            cells.running += 1
        job.began_at = time.perf_counter()

    def ended(self, job: Job, outcome: Outcome, due_ms: float) -> None:
        """Note that a job that was started has ended; said again, it does nothing.

        ``due_ms`` is since when it could have started. It counts as not having waited if that is no time of a
        record: Kafka says -1 where it knows none.
        """
        duration = time.perf_counter() - job.began_at
        wait = max(0.0, time.time() - duration - due_ms / 1000) if due_ms > 0 else 0.0
        with self._lock:
            cells, job.cells = job.cells, None
            if cells is None:
                return
            cells.running -= 1
            cells.outcomes[outcome] += 1
            cells.durations[bisect_left(SECONDS, duration)] += 1
            cells.duration_sum += duration
            cells.waits[bisect_left(SECONDS, wait)] += 1
            cells.wait_sum += wait

    def running(self) -> Counter[Labels]:
        """How many jobs run now, by queue and actor."""
        with self._lock:
            return Counter({labels: cells.running for labels, cells in self._cells.items() if cells.running})

    def figures(self) -> dict[Labels, Figures]:
        """What was counted since the process started, by queue and actor."""
        with self._lock:
            return {
                labels: Figures(
                    tuple(cells.outcomes),
                    tuple(cells.durations),
                    tuple(cells.waits),
                    cells.duration_sum,
                    cells.wait_sum,
                )
                for labels, cells in self._cells.items()
            }

    def families(self) -> list[Family]:
        """The same for Prometheus."""
        figures = self.figures()
        outcomes = {
            (*labels, outcome.name.lower()): (count,)
            for labels, one in figures.items()
            for outcome, count in zip(Outcome, one.outcomes, strict=True)
        }
        durations = {labels: (*one.durations, one.duration_sum_s) for labels, one in figures.items()}
        waits = {labels: (*one.waits, one.wait_sum_s) for labels, one in figures.items()}
        now = self.running()
        running = {labels: (now[labels],) for labels in figures}  # one that runs none shows as 0
        return [
            Family("workers_jobs_total", "counter", "Jobs that ended.", (*_LABELS, "outcome"), outcomes),
            Family(
                "workers_job_duration_seconds",
                "histogram",
                "From start to end of a job.",
                _LABELS,
                durations,
                SECONDS,
            ),
            Family(
                "workers_job_wait_seconds",
                "histogram",
                "From when a job was due to its start.",
                _LABELS,
                waits,
                SECONDS,
            ),
            Family("workers_jobs_running", "gauge", "Jobs that run now.", _LABELS, running),
        ]

    def _new(self, labels: Labels) -> Cells:
        with self._lock:
            return self._cells.setdefault(bounded(labels, len(self._cells)), Cells())


#: The jobs of this process.
JOBS = JobMeasures()
add_source(JOBS.families)
