"""Fills a long backlog with one process, and drains it with another whose memory is watched."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path
from typing import Any

import dramatiq

from . import dramatiq_kafka
from .dramatiq_common import noop_actor, worker
from .meter import Meter, Stopwatch

_TENTHS = 10
_PAGE_MB = 4096 / 2**20


def fill(address: str, namespace: str, jobs: int) -> float:
    """Jobs per second."""
    broker, stopwatch = dramatiq_kafka.broker_at(address, namespace), Stopwatch()
    with stopwatch.running():
        dramatiq_kafka.fill(broker, noop_actor(broker, Meter(jobs)), jobs)
    return jobs / stopwatch.seconds


def drain(address: str, namespace: str, jobs: int) -> dict[str, float]:
    """Rates and this process's memory, over tenths of the backlog."""
    broker = dramatiq_kafka.broker_at(address, namespace)
    tenth, numbers = jobs // _TENTHS, itertools.count()
    marks: list[tuple[float, float]] = []
    done = threading.Event()

    @dramatiq.actor(broker=broker, queue_name="noop", actor_name="noop")
    def noop(*_: Any) -> None:
        number = next(numbers)
        if number % tenth == 0 or number == jobs - 1:
            marks.append((time.perf_counter(), memory_mb()))
            if number == jobs - 1:
                done.set()

    peak = 0.0
    with worker(broker):
        while not done.wait(0.2):
            peak = max(peak, memory_mb())
    return _readings(marks, tenth, jobs) | {"memory_mb": max(peak, memory_mb())}


def _readings(marks: list[tuple[float, float]], tenth: int, jobs: int) -> dict[str, float]:
    times, memory = [at for at, _ in marks], [mb for _, mb in marks]
    return {
        "jobs_per_s": (jobs - 1) / (times[-1] - times[0]),
        "first_tenth_per_s": tenth / (times[1] - times[0]),
        "last_tenth_per_s": (tenth - 1) / (times[-1] - times[-2]),
        "memory_after_a_tenth_mb": memory[1],
        "memory_at_the_end_mb": memory[-1],
    }


def memory_mb() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB
