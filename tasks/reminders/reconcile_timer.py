"""Starts the reconciling of reminders: when a worker starts, and regularly, by one worker of the fleet."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from workers.errors import WorkersError
from workers.runtime.threads import RestartingThread

if TYPE_CHECKING:
    from ..storage.shared_work import SharedWork

logger = logging.getLogger(__name__)

#: A worker that starts reconciles at once, unless another one did within this time.
START_GAP = timedelta(minutes=1)
#: How often a worker checks whether it is time.
_CHECK_EVERY_S = 30.0


class ReconcileTimer(RestartingThread):
    """Enqueues work on a thread whenever `SharedWork` says that it is time, until it is stopped."""

    def __init__(
        self, work: Callable[[], SharedWork], enqueue: Callable[[], object], every: timedelta
    ) -> None:
        self._work = work
        self._enqueue = enqueue
        self._every = every
        self._at_start = True
        super().__init__(
            "reminder-timer",
            self._check_now,
            pause_s=min(_CHECK_EVERY_S, every.total_seconds()),
            logger=logger,
            failure="reminders not reconciled, trying again",
        )

    def check(self, now: datetime, *, at_start: bool) -> bool:
        """Enqueue the work if it is time; returns whether it was.

        Raises WorkersError if it could not be enqueued; then it is still time.
        """
        work = self._work()
        if not work.begin(now, min(START_GAP, self._every) if at_start else self._every):
            return False
        try:
            self._enqueue()
        except WorkersError:
            work.give_back()
            raise
        return True

    def _check_now(self, _stopping: threading.Event) -> None:
        self.check(datetime.now(UTC), at_start=self._at_start)
        self._at_start = False
