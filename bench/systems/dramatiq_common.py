"""What dramatiq's brokers are asked to do, the same for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq

from .meter import Meter, Stopwatch

#: Every contestant has so many.
THREADS = 8
#: Like the job of a chatbot: an id and a few words.
ARGUMENTS = ("todo-1234", "ana@example.com", {"title": "Book flights", "due": "2030-01-01T09:00:00Z"})


def noop_actor(broker: dramatiq.Broker, meter: Meter) -> dramatiq.Actor[Any, None]:
    """An actor that only counts."""

    @dramatiq.actor(broker=broker, queue_name="noop", actor_name="noop")
    def noop(*_: Any) -> None:
        meter.tick()

    return noop


@contextmanager
def worker(broker: dramatiq.Broker, threads: int = THREADS) -> Iterator[dramatiq.Worker]:
    """A worker in this process; it ends with the process, what it has running with it."""
    running = dramatiq.Worker(broker, worker_threads=threads)
    running.start()
    yield running


def enqueue_rate(actor: dramatiq.Actor[Any, None], jobs: int) -> float:
    """Sends per second, one after the other."""
    actor.send(*ARGUMENTS)
    stopwatch = Stopwatch()
    with stopwatch.running():
        for _ in range(jobs):
            actor.send(*ARGUMENTS)
    return jobs / stopwatch.seconds
