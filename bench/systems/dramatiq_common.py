"""The tasks that every dramatiq broker is measured with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq

from .meter import Meter, Stopwatch

#: Worker threads of every contestant.
THREADS = 8
#: Arguments like those of a chatbot's job: an id and a few words.
ARGUMENTS = ("todo-1234", "ana@example.com", {"title": "Book flights", "due": "2030-01-01T09:00:00Z"})


def noop_actor(broker: dramatiq.Broker, meter: Meter) -> dramatiq.Actor[Any, None]:
    """An actor that only counts."""

    @dramatiq.actor(broker=broker, queue_name="noop", actor_name="noop")
    def noop(*_: Any) -> None:
        meter.tick()

    return noop


@contextmanager
def worker(broker: dramatiq.Broker, threads: int = THREADS) -> Iterator[dramatiq.Worker]:
    """Run a worker in this process. It is not stopped: it ends with the process."""
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
