"""Keeps jobs that may kill their process: each waits until it can run with no other job in it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from ..kafka import TopicPartition
from ..partitions.owned_partition import OwnedPartition
from ..records.consumed import ConsumedRecord
from .run_alone import RunAlone

logger = logging.getLogger(__name__)


class Suspects:
    """The suspected jobs of one consumer. For the consuming thread."""

    def __init__(self, run_alone: RunAlone) -> None:
        self._run_alone = run_alone
        self._waiting: deque[tuple[OwnedPartition, ConsumedRecord]] = deque()
        #: Not its object: the partition may be lost and come back while the job runs.
        self._running: tuple[TopicPartition, int] | None = None
        #: Whether other jobs of the process are kept from starting, so that one of these can.
        self._makes_room = False
        #: Whether a job has run alone and no commit says yet that it is done.
        self._ended = False
        #: Whether there has been one. Without, there is nothing to ask here.
        self.have_come = False

    @property
    def are_waiting(self) -> bool:
        """Whether :meth:`take` has something to do."""
        return bool(self._waiting) or self._ended

    def add(self, owned: OwnedPartition, record: ConsumedRecord) -> None:
        """Let a job wait for its turn."""
        self._waiting.append((owned, record))
        self.have_come = True

    def take(self, commit: Callable[[], bool]) -> tuple[OwnedPartition, ConsumedRecord] | None:
        """Take the next job, once nothing else is in hand in this process and ``commit`` has recorded that.

        None if that is not so yet. The first call keeps other jobs from starting, see :class:`RunAlone`.
        """
        self.settle(commit)
        if self._ended or not self._waiting or self._running is not None:
            return None
        owned, record = self._waiting[0]
        if owned.closed or owned.crashes is None:
            self._waiting.popleft()
            self._run_alone.abandon()
            return None
        self._makes_room = True
        if not self._run_alone.enter_alone():
            return None
        self._makes_room = False
        owned.crashes.plan_alone(record.offset)
        if not commit():
            owned.crashes.unplan_alone(record.offset)
            self._run_alone.leave_alone()
            return None
        self._waiting.popleft()
        self._running = owned.partition, record.offset
        logger.warning(
            "job runs alone, processes died while they held it topic=%s partition=%d offset=%d",
            *owned.partition,
            record.offset,
        )
        return owned, record

    def stand_back(self, commit: Callable[[], bool]) -> None:
        """Let other jobs start, as none of these may for now; one that waits asks for room again later."""
        self.settle(commit)
        if self._makes_room:  # once: another consumer may be making room for its own
            self._makes_room = False
            self._run_alone.abandon()

    def settle(self, commit: Callable[[], bool]) -> None:
        """Let other jobs start again once ``commit`` has recorded that the one that ran alone is done."""
        if self._ended and commit():
            self._ended = False
            self._run_alone.leave_alone()

    def note_done(self, owned: OwnedPartition, offset: int) -> bool:
        """Note that a job is done; True if it was the one that runs alone.

        Others start again after the next commit: otherwise their death would count as one of this job.
        """
        if self._running is None or self._running != (owned.partition, offset):
            return False
        self._running = None
        self._ended = True
        return True

    def put_back(self, owned: OwnedPartition, offset: int) -> None:
        """Note that a job waits on in its partition, if it was to run alone; before :meth:`note_done`."""
        if self._running == (owned.partition, offset) and owned.crashes is not None:
            owned.crashes.unplan_alone(offset)

    def close(self) -> bool:
        """Let other jobs of the process start; True if a suspected one still runs."""
        running, self._running = self._running is not None, None
        if running or self._ended:
            self._ended = False
            self._run_alone.leave_alone()
        elif self._waiting:
            self._run_alone.abandon()
        return running
