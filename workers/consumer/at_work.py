"""What the consumers of a process have in hand, for its reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..fleet.process import MAX_JOBS, JobAtWork
from ..kafka import TopicPartition
from ..partitions.owned_partition import OwnedPartition
from ..partitions.taken_message import TakenMessage
from .still_running import StillRunning

Partitions = Mapping[TopicPartition, OwnedPartition]


class Work(NamedTuple):
    """The jobs in hand, those that run longest first; how many run, and how many there are."""

    jobs: list[JobAtWork]
    running: int
    in_hand: int


class AtWork:
    """The partitions of all consumers of a process. Safe for any thread; a look may be a moment old."""

    def __init__(self, still_running: StillRunning) -> None:
        self._still_running = still_running
        self._consumers: list[Partitions] = []

    def add(self, partitions: Partitions) -> None:
        """Look at the partitions of one more consumer from now on."""
        self._consumers.append(partitions)

    def remove(self, partitions: Partitions) -> None:
        """Look no more at those of a consumer that has closed."""
        self._consumers = [others for others in self._consumers if others is not partitions]

    def look(self) -> Work:
        """What is in hand now."""
        jobs = list(self._jobs())
        running = [job for job in jobs if job.is_at_work]
        running.sort(key=lambda job: job.started_at)
        waiting = [job for job in jobs if not job.started and not job.withdrawn]
        named = [_told(job) for job in [*running, *waiting][:MAX_JOBS]]
        return Work(named, len(running), len(running) + len(waiting))

    def _jobs(self) -> Iterator[TakenMessage]:
        for partitions in list(self._consumers):
            for owned in list(partitions.values()):
                for job in list(owned.in_hand.values()):
                    if isinstance(job, TakenMessage):
                        yield job
        yield from self._still_running.jobs()


def _told(job: TakenMessage) -> JobAtWork:
    record = job.record
    return JobAtWork(
        id=job.message_id,
        actor=job.actor_name,
        queue=job.queue_name,
        place=f"{record.topic}/{record.partition}/{record.offset}",
        since_ms=int(job.started_at * 1000) if job.is_at_work else None,
    )
