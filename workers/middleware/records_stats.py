"""Keeps the history of what worker processes do."""

from __future__ import annotations

from typing import Protocol

from ..kafka import Memberships
from ..kafka.producing.producer import DurableProducer
from ..stats.writer import StatsWriter
from ..topics import Topics
from .runs_thread import RunsThread


class HasStats(Protocol):
    """The part of the broker that RecordsStats needs."""

    producer: DurableProducer
    memberships: Memberships
    topics: Topics


class RecordsStats(RunsThread[StatsWriter]):
    """Runs a `StatsWriter` in every worker process, until its last job has ended."""

    outlives_jobs = True

    def __init__(self) -> None:
        def make(broker: HasStats) -> StatsWriter:
            return StatsWriter(broker.producer, broker.topics.stats, broker.memberships.owner)

        super().__init__(make)
