"""What the consumers of a process have in hand, for its reports."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import NamedTuple
from weakref import ref

from ..fleet.process import MAX_JOBS, JobAtWork
from ..partitions.assignment import Assignment
from ..partitions.taken_message import TakenMessage
from .still_running import StillRunning


class Work(NamedTuple):
    """The jobs in hand, those that run longest first; how many run, and how many there are."""

    jobs: list[JobAtWork]
    running: int
    in_hand: int


class AtWork:
    """The partitions of all consumers of a process. Safe for any thread; a look may be a moment old."""

    def __init__(self, still_running: StillRunning) -> None:
        self._still_running = still_running
        self._lock = threading.Lock()
        #: Replaced as a whole: another thread may look at it.
        self._assignments: list[ref[Assignment]] = []

    def add(self, assignment: Assignment) -> None:
        """Look at the partitions of one more consumer, for as long as that lives."""
        with self._lock:
            living = [one for one in self._assignments if one() is not None]
            self._assignments = [*living, ref(assignment)]

    def look(self) -> Work:
        """What is in hand now."""
        jobs = list(self._jobs())
        running = [job for job in jobs if job.is_at_work]
        running.sort(key=lambda job: job.started_at)
        waiting = [job for job in jobs if not job.started and not job.withdrawn]
        named = [_told(job) for job in [*running, *waiting][:MAX_JOBS]]
        return Work(named, len(running), len(running) + len(waiting))

    def _jobs(self) -> Iterator[TakenMessage]:
        for assignment in self._assignments:
            alive = assignment()
            for owned in list(alive.partitions.values()) if alive is not None else ():
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
