"""Contestants whose reading is a rate: a function of `bench.systems` called for so many jobs."""

from __future__ import annotations

from collections.abc import Callable

from .isolation import rate
from .kit import Kit
from .model import Readings

Measure = Callable[[Kit], Readings]


def on_kafka(function: str, jobs: int, quick_jobs: int) -> Measure:
    """Measure a function that takes the address of Kafka and a namespace."""
    return lambda kit: rate(
        function, kit.amount(jobs, quick_jobs), namespace=kit.namespace(), address=kit.kafka
    )


def on_redis(function: str, jobs: int, quick_jobs: int) -> Measure:
    """Measure a function that takes the URL of Redis and a namespace."""
    return lambda kit: rate(function, kit.amount(jobs, quick_jobs), namespace=kit.namespace(), url=kit.redis)


def in_memory(function: str, jobs: int, quick_jobs: int) -> Measure:
    """Measure a function that needs no server."""
    return lambda kit: rate(function, kit.amount(jobs, quick_jobs))
