"""One assignment of one partition: its fetched records, its ledger, and what is out to the worker threads.

A partition that comes back gets a new lane. So a lane is what the design calls an epoch: acks of an older
one reach an object that no commit looks at any more.
"""

from __future__ import annotations

from collections import deque
from queue import SimpleQueue
from typing import Any, Protocol

import dramatiq

from ..kafka import OffsetAndMetadata, TopicPartition
from ..records.consumed import ConsumedRecord
from . import commit_metadata
from .crash_counts import Custody, Suspicion
from .ledger import Ledger


class InHand(Protocol):
    """What is being done about a record."""

    #: Whether it cannot be called back any more: a revoke waits for it.
    started: bool


class TakenMessage(dramatiq.MessageProxy):
    """A message handed out to dramatiq, with its record, its lane, and the mailbox its ack goes to.

    As mail it says that its job is done.
    """

    __slots__ = (
        "_exception",
        "_message",
        "actor_name",
        "args",
        "attempt",
        "failed",
        "handed_back",
        "kwargs",
        "lane",
        "mail",
        "message_id",
        "message_timestamp",
        "options",
        "queue_name",
        "record",
        "started",
    )

    def __init__(
        self,
        message: dramatiq.Message[Any],
        record: ConsumedRecord,
        lane: OwnedPartition,
        mail: SimpleQueue[Any],
    ) -> None:
        # dramatiq's worker and middleware ask for the message's fields some thirty times; found here they
        # need not go through MessageProxy's __getattr__.
        self.queue_name = message.queue_name
        self.actor_name = message.actor_name
        self.args = message.args
        self.kwargs = message.kwargs
        self.options = message.options
        self.message_id = message.message_id
        self.message_timestamp = message.message_timestamp
        self.failed = False
        self._message = message
        self._exception: BaseException | None = None
        self.record = record
        self.lane = lane
        self.mail = mail
        self.started = False
        #: It does not run here: an ack of it, which dramatiq sends all the same, does not make it done.
        self.handed_back = False
        self.attempt = attempt_of(message)

    def __str__(self) -> str:
        """For logs: dramatiq's own would show the arguments, and with them names and addresses of people."""
        return f"{self.actor_name} {self.message_id}"

    def start(self) -> bool:
        """Called by a worker thread before it runs the job; False where the partition was taken away."""
        # In this order: either the thread sees the lane closed, or the closing sees the job started.
        self.started = True
        self.handed_back = self.lane.closed
        return not self.handed_back


def attempt_of(message: dramatiq.Message[Any]) -> int:
    """Which attempt this is; dramatiq's Retries counts those before it on the message."""
    retries = message.options.get("retries")
    return retries + 1 if isinstance(retries, int) else 1


class OwnedPartition:
    """Owned by the consuming thread, but for ``closed``, which worker threads read."""

    __slots__ = (
        "_committed",
        "_moved_at",
        "_position",
        "buffer",
        "closed",
        "full",
        "ledger",
        "out",
        "partition",
        "suspicion",
    )

    def __init__(
        self, partition: TopicPartition, inherited: OffsetAndMetadata, *, suspicious: bool = True
    ) -> None:
        """``inherited`` is what the group has committed; of its metadata only what is ours is understood.

        ``suspicious``: commits tell that the partition is held, so that its jobs' deaths are counted.
        """
        self.partition = partition
        self.suspicion = (
            Suspicion(commit_metadata.decode_custody(inherited.offset, inherited.metadata))
            if suspicious
            else None
        )
        self.ledger = Ledger(commit_metadata.decode(inherited.offset, inherited.metadata))
        #: Fetched records that were not handed out yet.
        self.buffer: deque[ConsumedRecord] = deque()
        #: What is in hand and not done, by offset; None for a record whose dead letter is being written.
        self.out: dict[int, InHand | None] = {}
        #: No job of this lane may start any more.
        self.closed = False
        #: The commit's metadata is so long that no new job should start before the oldest are done.
        self.full = False
        self._committed = (inherited.offset, inherited.metadata)
        self._position = inherited.offset
        self._moved_at = 0.0

    def take(self, now: float) -> ConsumedRecord | None:
        """The next record to run, leaving out those that an earlier owner has done."""
        while self.buffer:
            record = self.buffer.popleft()
            if self.ledger.receive(record.offset):
                if not self.out:
                    self._moved_at = now
                self.out[record.offset] = None
                return record
        return None

    def peek(self) -> ConsumedRecord | None:
        """The record that :meth:`take` would give."""
        while self.buffer and self.ledger.was_done(self.buffer[0].offset):
            self.ledger.receive(self.buffer.popleft().offset)
        return self.buffer[0] if self.buffer else None

    def must_tell(self) -> bool:
        """Whether a commit must tell of the next record before it is handed out; plans what to tell."""
        if self.suspicion is None or not self.buffer or not self.suspicion.must_tell(self.buffer[0].offset):
            return False
        waiting = (record.offset for record in self.buffer)
        self.suspicion.plan(offset for offset in waiting if not self.ledger.was_done(offset))
        return True

    def done(self, offset: int) -> bool:
        """Note that a job is done; False for a repeated ack."""
        self.out.pop(offset, None)
        if self.suspicion is not None:
            self.suspicion.done(offset)
        return self.ledger.done(offset)

    def hand_back(self, offset: int) -> bool:
        """Note that a job is left to the partition's next owner; False where that is known."""
        return self.out.pop(offset, None) is not None

    def close(self) -> None:
        """Let no job start any more; those that run may still be acked."""
        self.closed = True
        self.buffer.clear()

    @property
    def is_running(self) -> bool:
        """Whether something has started and is not done."""
        return any(job is not None and job.started for job in self.out.values())

    def to_commit(self, now: float) -> OffsetAndMetadata | None:
        """What to commit; None where Kafka has it already."""
        # Who looks at a queue sees what is in hand there; a mover has many thousands in hand.
        progress = self.ledger.progress(brief=self.suspicion is None)
        if progress.position != self._position:
            self._position, self._moved_at = progress.position, now
        custody = self.suspicion.custody(held=not self.closed) if self.suspicion else Custody()
        metadata = commit_metadata.encode(progress, custody)
        self.full = len(metadata) > commit_metadata.FULL_CHARS
        if (progress.position, metadata) == self._committed:
            return None
        return OffsetAndMetadata(progress.position, metadata, -1)

    def committed(self, offset: OffsetAndMetadata) -> None:
        """Note that Kafka has stored ``offset``."""
        self._committed = (offset.offset, offset.metadata)

    @property
    def committed_position(self) -> int:
        """Everything below is done, and Kafka knows it."""
        position: int = self._committed[0]
        return position

    def blocked_for(self, now: float) -> float:
        """Seconds for which the oldest job that is out has kept the position where it is."""
        return now - self._moved_at if self.out else 0.0

    @property
    def oldest(self) -> InHand | None:
        """The job that keeps the position where it is."""
        return self.out.get(self._position)
