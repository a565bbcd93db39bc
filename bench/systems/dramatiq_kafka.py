"""KafkaBroker, the broker of this project."""

from __future__ import annotations

from typing import Any

import dramatiq

from workers import Cluster, KafkaBroker

from .dramatiq_common import ARGUMENTS, noop_actor, worker
from .meter import Meter, Stopwatch

#: Messages in one batch.
BATCH = 10_000


def broker_at(address: str, namespace: str, partitions: int = 8) -> KafkaBroker:
    return KafkaBroker(Cluster((address,)), namespace=namespace, partitions=partitions)


def fill(broker: KafkaBroker, actor: dramatiq.Actor[Any, None], jobs: int) -> None:
    """Send so many jobs, pipelined."""
    for sent in range(0, jobs, BATCH):
        with broker.batch():
            for _ in range(min(BATCH, jobs - sent)):
                actor.send(*ARGUMENTS)


def noop_rate(address: str, namespace: str, jobs: int) -> float:
    """No-op jobs per second, all of them waiting in the log at the start."""
    broker, meter = broker_at(address, namespace), Meter(jobs)
    fill(broker, noop_actor(broker, meter), jobs)
    with worker(broker):
        return meter.rate()


def pipelined_enqueue_rate(address: str, namespace: str, jobs: int) -> float:
    """Sends per second in one batch, the wait for Kafka's confirmations included."""
    broker = broker_at(address, namespace)
    actor = noop_actor(broker, Meter(jobs))
    actor.send(*ARGUMENTS)
    stopwatch = Stopwatch()
    with stopwatch.running():
        fill(broker, actor, jobs)
    return jobs / stopwatch.seconds
