"""Keeps one assignment of one partition: its fetched records, its ledger, and the jobs in hand.

A partition that comes back gets a new object, so acks of an earlier assignment reach an object that no commit
reads any more. Its life::

    first record fetched ──► buffer ── take() ──► in hand ── done() ──► to_commit() ──► committed()
    partition taken away ──► close(): the buffer is dropped, no job starts any more; those that run may still
                             be acked, until the last commit
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from ..kafka import OffsetAndMetadata, TopicPartition
from ..records.consumed import ConsumedRecord
from . import commit_metadata
from .crash_counts import CrashCounter, CrashCounts
from .ledger import Ledger, Progress


class InHand(Protocol):
    """A record that is being worked on."""

    #: Whether it cannot be stopped any more: then a revoke waits for it.
    started: bool


class OwnedPartition:
    """One assignment of one partition. For the consuming thread; worker threads read only ``closed``."""

    __slots__ = (
        "_committed",
        "_moved_at",
        "_owner",
        "_position",
        "buffer",
        "busy",
        "closed",
        "crashes",
        "full",
        "in_hand",
        "leader_epoch",
        "ledger",
        "partition",
    )

    def __init__(
        self,
        partition: TopicPartition,
        inherited: OffsetAndMetadata,
        crashes: CrashCounter | None = None,
        owner: str = "",
    ) -> None:
        """``inherited`` is the group's last commit; metadata that is not ours is ignored.

        With ``crashes``, commits say that the process called ``owner`` holds the partition, so that deaths of
        its owners are counted.
        """
        self.partition = partition
        self.crashes = crashes
        self._owner = owner
        self.ledger = Ledger(commit_metadata.decode(inherited.offset, inherited.metadata))
        #: Fetched records that are not handed out yet.
        self.buffer: deque[ConsumedRecord] = deque()
        #: The taken records that are not done, by offset; None for a record of which no job was made.
        self.in_hand: dict[int, InHand | None] = {}
        #: Whether no job of this partition may start any more.
        self.closed = False
        #: Whether the commit's metadata is so long that no new job should start before the oldest are done;
        #: one that stands in it as undone makes it no longer.
        self.full = False
        #: Whether all threads of the process have been busy for a while; others then pass no jobs on to it.
        self.busy = False
        #: The epoch of the leader that wrote the last record that was read. Commits say it, so that the next
        #: owner finds out whether the log has lost its end since.
        self.leader_epoch = inherited.leader_epoch
        self._committed = (inherited.offset, inherited.metadata)
        self._position = inherited.offset
        self._moved_at = 0.0

    def take(self, now: float) -> ConsumedRecord | None:
        """Take the next record to run; those that an earlier owner has done are left out."""
        ledger = self.ledger
        while self.buffer:
            record = self.buffer.popleft()
            offset = record.offset
            if (offset < ledger.next_offset and self._is_given_back(offset)) or ledger.receive(offset):
                if not self.in_hand:
                    self._moved_at = now
                self.in_hand[offset] = None
                return record
        return None

    def peek(self) -> ConsumedRecord | None:
        """The record that :meth:`take` would return."""
        while self.buffer and self.ledger.was_done(self.buffer[0].offset):
            self.ledger.receive(self.buffer.popleft().offset)
        return self.buffer[0] if self.buffer else None

    def must_commit_first(self) -> bool:
        """Whether a commit must come before the next record is handed out; plans what it will say."""
        crashes = self.crashes
        if crashes is None or crashes.is_calm or not self.buffer:
            return False
        if not crashes.must_commit_before(self.buffer[0].offset):
            return False
        waiting = (record.offset for record in self.buffer)
        crashes.plan_window(offset for offset in waiting if not self.ledger.was_done(offset))
        return True

    def done(self, offset: int) -> bool:
        """Note that a job is done; False for a repeated ack."""
        self.in_hand.pop(offset, None)
        if self.crashes is not None and not self.crashes.is_calm:
            self.crashes.done(offset)
        return self.ledger.done(offset)

    def give_back(self, record: ConsumedRecord) -> None:
        """Let a record be taken again, in its turn; a closed partition's is left to the next owner.

        Those that were given back stand at the beginning of the buffer, in their order.
        """
        self.in_hand.pop(record.offset, None)
        if self.closed:
            return
        before = []
        while self.buffer and self.buffer[0].offset < record.offset:
            before.append(self.buffer.popleft())
        self.buffer.appendleft(record)
        self.buffer.extendleft(reversed(before))

    def _is_given_back(self, offset: int) -> bool:
        return self.ledger.is_open(offset) and offset not in self.in_hand

    def hand_back(self, offset: int) -> bool:
        """Note that a job is left to the partition's next owner; False if that is known already."""
        return self.in_hand.pop(offset, None) is not None

    def close(self) -> None:
        """Let no job start any more; those that run may still be acked."""
        self.closed = True
        self.buffer.clear()

    @property
    def is_running(self) -> bool:
        """Whether some job has started and is not done."""
        return any(job is not None and job.started for job in self.in_hand.values())

    def to_commit(self, now: float) -> OffsetAndMetadata | None:
        """The commit to send; None if Kafka has it already."""
        # `status` shows what a queue has in hand; for a mover that list would be huge.
        progress = self.ledger.progress(brief=self.crashes is None)
        if progress.position != self._position:
            self._position, self._moved_at = progress.position, now
        crashes, load = CrashCounts(), commit_metadata.Load()
        if self.crashes is not None:
            crashes = self.crashes.to_commit(held=not self.closed, owner=self._owner)
            load = commit_metadata.Load(self.busy and not self.closed, len(self.buffer))
        metadata = commit_metadata.encode(progress, crashes, load)
        self.full = len(metadata) > commit_metadata.FULL_CHARS and self._would_grow(progress)
        if (progress.position, metadata) == self._committed:
            return None
        return OffsetAndMetadata(progress.position, metadata, self.leader_epoch)

    def _would_grow(self, progress: Progress) -> bool:
        """Whether the next job would make the commit longer, and some job in hand will make it shorter.

        A job that an earlier owner left undone, or that was given back, stands in the commit already.
        """
        next_offset = self.buffer[0].offset if self.buffer else self.ledger.next_offset
        return bool(self.in_hand) and next_offset >= progress.end

    def committed(self, offset: OffsetAndMetadata) -> None:
        """Note that Kafka has stored ``offset``."""
        self._committed = (offset.offset, offset.metadata)

    @property
    def committed_position(self) -> int:
        """The last position that Kafka has stored: everything below it is done."""
        position: int = self._committed[0]
        return position

    def blocked_for(self, now: float) -> float:
        """Seconds for which the oldest job in hand has held the position back."""
        return now - self._moved_at if self.in_hand else 0.0

    @property
    def oldest(self) -> InHand | None:
        """The job that holds the position back."""
        return self.in_hand.get(self._position)
