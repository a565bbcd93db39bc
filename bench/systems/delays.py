"""Measures how late delayed jobs start, and the cost of waiting ones."""

from __future__ import annotations

import statistics
import time
from array import array
from datetime import timedelta
from typing import Any

import dramatiq

from workers import KafkaBroker
from workers.middleware.runs_mover import RunsMover

from ..errors import NotMeasured
from . import dramatiq_kafka
from .backlog import memory_mb
from .dramatiq_common import worker

#: The time for the worker process to start, and the slowest rate of sending that is expected: all jobs must
#: be sent, and the worker run, before the first job is due.
_LEAD_S = 8.0
_SENDS_PER_S = 3_500
_IDLE_S = 20.0
_DAY_MS = int(timedelta(days=1).total_seconds() * 1000)


def send_due_within(address: str, namespace: str, jobs: int, window_s: float) -> None:
    """Send jobs that are due one after the other within a window. Raises NotMeasured if that is slow."""
    broker = dramatiq_kafka.broker_at(address, namespace)
    actor = _note(broker, array("d"))
    broker.prepare()
    begins_ms = (time.time() + _LEAD_S + jobs / _SENDS_PER_S) * 1000
    for sent in range(0, jobs, dramatiq_kafka.BATCH):
        with broker.batch():
            for number in range(sent, min(sent + dramatiq_kafka.BATCH, jobs)):
                due_ms = int(begins_ms + number * window_s * 1000 / jobs)
                delay_ms = max(0, due_ms - int(time.time() * 1000))
                actor.send_with_options(args=(due_ms,), delay=delay_ms)
    if time.time() * 1000 > begins_ms - _LEAD_S / 2 * 1000:
        raise NotMeasured("sending took too long: the first jobs are due already")


def lateness(address: str, namespace: str, jobs: int) -> dict[str, float]:
    """Measure how late a worker process starts the jobs, and its memory after a tenth and at the end."""
    broker, late_ms = dramatiq_kafka.broker_at(address, namespace), array("d")
    _note(broker, late_ms)
    after_a_tenth = peak = 0.0
    with worker(broker):
        while len(late_ms) < jobs:
            time.sleep(0.2)
            peak = max(peak, memory_mb())
            if not after_a_tenth and len(late_ms) >= jobs // 10:
                after_a_tenth = memory_mb()
    quantiles = statistics.quantiles(late_ms, n=1000)
    return {
        "earliest_ms": min(late_ms),
        "late_p50_ms": quantiles[499],
        "late_p99_ms": quantiles[989],
        "late_worst_ms": max(late_ms),
        "memory_mb": peak,
        "memory_after_a_tenth_mb": after_a_tenth,
        "memory_at_the_end_mb": memory_mb(),
    }


def send_for_later(address: str, namespace: str, jobs: int) -> float:
    """Send jobs that are due in 2 to 90 days; returns how many per second."""
    broker = dramatiq_kafka.broker_at(address, namespace)
    actor = _note(broker, array("d"))
    broker.prepare()
    began = time.perf_counter()
    for sent in range(0, jobs, dramatiq_kafka.BATCH):
        with broker.batch():
            for number in range(sent, min(sent + dramatiq_kafka.BATCH, jobs)):
                actor.send_with_options(args=(0,), delay=(2 + number % 88) * _DAY_MS)
    return jobs / (time.perf_counter() - began)


def wait_with_them(address: str, namespace: str) -> dict[str, float]:
    """Measure start, processor time and memory of a worker process whose jobs are all due later."""
    broker, ran = dramatiq_kafka.broker_at(address, namespace), array("d")
    actor = _note(broker, ran)
    broker.prepare()
    began = time.perf_counter()
    with worker(broker):
        (mover,) = (one for one in broker.middleware if isinstance(one, RunsMover))
        actor.send(int(time.time() * 1000))
        while not (ran and mover.is_healthy):
            time.sleep(0.01)
        start_s = time.perf_counter() - began
        time.sleep(_IDLE_S / 4)
        cpu_s, began = time.process_time(), time.perf_counter()
        time.sleep(_IDLE_S)
        busy = (time.process_time() - cpu_s) / (time.perf_counter() - began)
        return {"start_s": start_s, "cpu_percent": busy * 100, "memory_mb": memory_mb()}


def _note(broker: KafkaBroker, late_ms: array[float]) -> dramatiq.Actor[Any, None]:
    @dramatiq.actor(broker=broker, queue_name="noop", actor_name="note")
    def note(due_ms: int) -> None:
        late_ms.append(time.time() * 1000 - due_ms)

    return note
