"""Keeps jobs that run in this process although their partition was taken from their consumer.

That happens when a consumer closes while they run, as when dramatiq's worker is paused or Kafka was away, and
when a session has run out. If the partition comes back to this process, such a job must not start a second
time while it runs: its consumer waits for the first run, or learns that it has ended meanwhile.
"""

from __future__ import annotations

from ..kafka import TopicPartition
from ..partitions.owned_partition import OwnedPartition
from ..partitions.taken_message import TakenMessage
from ..records.consumed import ConsumedRecord
from .acks import Inbox


class StillRunning:
    """Such jobs of one process, by partition and offset. Each call is one step; safe for any thread."""

    def __init__(self) -> None:
        self._jobs: dict[TopicPartition, dict[int, TakenMessage]] = {}

    def leave(self, partition: TopicPartition, jobs: dict[int, TakenMessage]) -> None:
        """Leave the jobs of a partition to the consumer that gets it back."""
        if jobs:
            self._jobs[partition] = self._jobs.get(partition, {}) | jobs

    def take(self, partition: TopicPartition) -> dict[int, TakenMessage]:
        """Take over the jobs of a partition; each is left to one consumer."""
        return self._jobs.pop(partition, {})

    def jobs(self) -> list[TakenMessage]:
        """Those that nobody has taken over yet."""
        return [job for jobs in list(self._jobs.values()) for job in list(jobs.values())]


class EarlierJobs:
    """Such jobs of one consumer whose records have not come again yet. For the consuming thread."""

    def __init__(self, still_running: StillRunning) -> None:
        self._still_running = still_running
        #: By partition and offset.
        self.jobs: dict[TopicPartition, dict[int, TakenMessage]] = {}

    def expect(self, partition: TopicPartition) -> None:
        """Take over the jobs that were left of a partition, as records of it have come."""
        if jobs := self._still_running.take(partition):
            self.jobs[partition] = jobs

    def has(self, partition: TopicPartition, offset: int) -> bool:
        """Whether the job of a record that may come again runs, or has run."""
        return offset in self.jobs.get(partition, ())

    def job_of(self, owned: OwnedPartition, record: ConsumedRecord) -> TakenMessage | None:
        """The job that runs, or has run, for a record that has come again."""
        if owned.partition not in self.jobs:
            return None
        job = self.jobs[owned.partition].pop(record.offset, None)
        # In a log that has lost its end, another record may have the offset.
        is_same = job is not None and (job.record.timestamp, job.record.key) == (record.timestamp, record.key)
        return job if is_same else None

    def take_over(self, owned: OwnedPartition, job: TakenMessage, inbox: Inbox) -> bool:
        """Let the consumer with this inbox wait for such a job, or note that it is done.

        False if the job has its place in the consumer's prefetch still, from the earlier assignment.
        """
        offset = job.record.offset
        # Looked at once: it may end on another thread at any moment.
        is_its_own, has_ended = job.inbox is inbox, job.acked
        if has_ended and job.given_up is not None:
            # The earlier assignment's dead letter may be written or not. A second one replaces it.
            TakenMessage(job._message, job.record, owned, inbox).release(job.given_up)
            return True
        if has_ended and is_its_own:  # to the earlier assignment, which may not have read it yet
            owned.done(offset)
            return False
        job.owned, job.inbox = owned, inbox
        owned.in_hand[offset] = job
        if job.acked and not is_its_own:
            inbox.put(job)
        return not is_its_own

    def leave(self, owned: OwnedPartition) -> None:
        """Leave the running jobs of a partition that was taken away to the consumer that gets it back."""
        jobs = self.jobs.pop(owned.partition, {})
        for offset, job in owned.in_hand.items():
            if isinstance(job, TakenMessage) and job.running:
                jobs[offset] = job
        self._still_running.leave(owned.partition, jobs)
