"""Measures many short jobs of one partition on many threads, each of which only waits."""

from __future__ import annotations

import random
import time

import dramatiq

from .dramatiq_common import worker
from .dramatiq_kafka import broker_at
from .meter import Meter

THREADS = 16
_LONGEST_MS = 5.0


def over_ideal(address: str, namespace: str, jobs: int) -> dict[str, float]:
    """Seconds from the first job's start to the last one's end, and the same without any overhead."""
    chosen = random.Random(17)  # noqa: S311 - the same jobs in every run
    waits_s = [chosen.uniform(0, _LONGEST_MS) / 1000 for _ in range(jobs)]
    broker, meter = broker_at(address, namespace, partitions=1), Meter(jobs + 1)

    @dramatiq.actor(broker=broker, queue_name="short")
    def wait(seconds: float, *, first: bool) -> None:
        if first:
            meter.tick()
        time.sleep(seconds)
        meter.tick()

    with broker.batch():
        for number, seconds in enumerate(waits_s):
            wait.send(seconds, first=number == 0)
    ideal = sum(waits_s) / THREADS
    with worker(broker, THREADS):
        seconds = jobs / meter.rate()
    return {"seconds": seconds, "ideal_seconds": ideal}
