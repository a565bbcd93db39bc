"""The pools that are compared, and what each must do. One module for each library."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bench.tally import Tally


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pool works: the servers, and a name that no earlier run has used for topics and queues."""

    kafka: str
    redis: str
    name: str


class Pool(Protocol):
    """A worker pool with one job, which does nothing but to count itself."""

    def fill(self, count: int) -> None:
        """Enqueue ``count`` jobs the fastest way that the pool documents; returns when all are accepted."""

    def drain(self, tally: Tally) -> None:
        """Run one worker with 8 threads, acking after the job, until all that ``tally`` waits for ran.

        Stops the worker gracefully where the pool can do so in a process that lives on.
        """


@dataclass(frozen=True, slots=True)
class PoolKind:
    """``maker`` names the function that makes the pool at a :class:`Place`; imported only where it is used."""

    title: str
    maker: str
    #: The queue is in the process: it must be filled and drained in the same one.
    in_process: bool = False


POOLS: Mapping[str, PoolKind] = {
    "kafka": PoolKind("KafkaBroker", "bench.pools.on_dramatiq:kafka"),
    "stub": PoolKind("dramatiq StubBroker (no network)", "bench.pools.on_dramatiq:stub", in_process=True),
    "redis": PoolKind("dramatiq + Redis", "bench.pools.on_dramatiq:redis"),
    "celery-redis": PoolKind("Celery + Redis", "bench.pools.on_celery:redis"),
    "celery-kafka": PoolKind("Celery + kombu's Kafka transport", "bench.pools.on_celery:kafka"),
    "taskiq-kafka": PoolKind("taskiq-aio-kafka", "bench.pools.on_taskiq:kafka"),
}


def make(name: str, place: Place) -> Pool:
    """Make a pool. Raises what importing or connecting raises, where it is not installed or does not run."""
    module, function = POOLS[name].maker.split(":")
    pool: Pool = getattr(importlib.import_module(module), function)(place)
    return pool
