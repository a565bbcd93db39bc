"""Two worker processes of KafkaBroker, one for each of two cores, on the same queue."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import MutableSequence

from ..errors import NotMeasured
from .dramatiq_common import THREADS, noop_actor, worker
from .dramatiq_kafka import broker_at, fill
from .meter import STALLED_S, Meter

_PROCESSES = 2
_LOOK_S = 0.01


class _Counter(Meter):
    """Counts the jobs of its process in memory that another process reads."""

    def __init__(self, counts: MutableSequence[int], process: int) -> None:
        self._counts = counts
        self._process = process
        self._numbers = itertools.count(1)

    def tick(self) -> None:
        self._counts[self._process] = next(self._numbers)


def noop_rate(address: str, namespace: str, jobs: int) -> float:
    """No-op jobs per second, all of them waiting in the log at the start."""
    broker = broker_at(address, namespace)
    fill(broker, noop_actor(broker, Meter(jobs)), jobs)
    context = multiprocessing.get_context("spawn")
    counts: MutableSequence[int] = context.RawArray("q", _PROCESSES)
    workers = [
        context.Process(target=_work, args=(address, namespace, counts, process), daemon=True)
        for process in range(_PROCESSES)
    ]
    for process in workers:
        process.start()
    try:
        return _rate(counts, jobs)
    finally:
        for process in workers:
            process.kill()


def _work(address: str, namespace: str, counts: MutableSequence[int], process: int) -> None:
    broker = broker_at(address, namespace)
    noop_actor(broker, _Counter(counts, process))
    with worker(broker, THREADS // _PROCESSES):
        while True:
            time.sleep(60)


def _rate(counts: MutableSequence[int], jobs: int) -> float:
    """Jobs per second, from the first job that runs. Raises NotMeasured if they come to a halt."""
    began: float | None = None
    done, moved_at = 0, time.perf_counter()
    while done < jobs:
        now = time.perf_counter()
        if sum(counts) != done:
            done, moved_at = sum(counts), now
        began = now if began is None and done else began
        if now - moved_at > STALLED_S:
            raise NotMeasured(f"came to a halt after {done} of {jobs} jobs")
        time.sleep(_LOOK_S)
    return jobs / (time.perf_counter() - (began or 0.0))
