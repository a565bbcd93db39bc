"""Jobs that may kill their process: each waits until it can run with no other job in it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from ..partitions.owned_partition import OwnedPartition
from ..records.consumed import ConsumedRecord
from .run_alone import RunAlone

logger = logging.getLogger(__name__)


class Suspects:
    """The suspected jobs of one consumer. For the consuming thread."""

    def __init__(self, run_alone: RunAlone) -> None:
        self._run_alone = run_alone
        self._waiting: deque[tuple[OwnedPartition, ConsumedRecord]] = deque()
        self._running: tuple[OwnedPartition, int] | None = None

    @property
    def are_waiting(self) -> bool:
        return bool(self._waiting)

    def add(self, owned: OwnedPartition, record: ConsumedRecord) -> None:
        """Let a job wait for its turn."""
        self._waiting.append((owned, record))

    def take(self, commit: Callable[[], bool]) -> tuple[OwnedPartition, ConsumedRecord] | None:
        """Take the next job, once nothing else is in hand in this process and ``commit`` has recorded that.

        None if that is not so yet. The first call keeps other jobs from starting, see :class:`RunAlone`.
        """
        if not self._waiting or self._running is not None:
            return None
        owned, record = self._waiting[0]
        if owned.closed or owned.crashes is None:
            self._waiting.popleft()
            self._run_alone.abandon()
            return None
        if not self._run_alone.enter_alone():
            return None
        owned.crashes.plan_alone(record.offset)
        if not commit():
            owned.crashes.unplan_alone(record.offset)
            self._run_alone.leave_alone()
            return None
        self._waiting.popleft()
        self._running = owned, record.offset
        logger.warning(
            "job runs alone, processes died while they held it topic=%s partition=%d offset=%d",
            *owned.partition,
            record.offset,
        )
        return owned, record

    def note_done(self, owned: OwnedPartition, offset: int) -> bool:
        """Note that a job is done; True if it was the one that runs alone, and others may start again."""
        if self._running is None or self._running != (owned, offset):
            return False
        self._running = None
        self._run_alone.leave_alone()
        return True

    def close(self) -> bool:
        """Let other jobs of the process start; True if a suspected one still runs."""
        if self._running is not None:
            self._running = None
            self._run_alone.leave_alone()
            return True
        if self._waiting:
            self._run_alone.abandon()
        return False
