"""Makes room for one suspected job, so that it runs with no other in its process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: How long a process hands out nothing, so that the jobs in hand can finish before a suspected job starts.
_DRAIN_S = 30.0
#: Pause before that is tried again, if some job runs for longer.
_RETRY_S = 60.0


class RunAlone:
    """Counts the jobs that a process has in hand, of all consumers. Safe for any thread; never blocks.

    A suspected job asks again and again to run alone; once it has asked, no other job starts for a
    while, so that the jobs in hand can finish.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._in_hand = 0
        self._alone = False
        #: Nothing is handed out before this time, for the sake of a suspected job.
        self._draining_until: float | None = None
        self._retry_at = 0.0

    def enter(self) -> bool:
        """Count a job that is to be handed out; False if none may be now."""
        with self._lock:
            if self._alone or (self._draining_until is not None and self._draining()):
                return False
            self._in_hand += 1
            return True

    def leave(self, count: int = 1) -> None:
        """Count jobs that are done, or whose consumer has closed."""
        with self._lock:
            self._in_hand -= count

    def enter_alone(self) -> bool:
        """Count a suspected job that is handed out; False if others are in hand: then ask again soon."""
        with self._lock:
            now = self._clock()
            if self._alone or now < self._retry_at:
                return False
            if self._draining_until is None:
                self._draining_until = now + _DRAIN_S
            if not self._draining() or self._in_hand:
                return False
            self._alone = True
            self._in_hand += 1
            return True

    def leave_alone(self) -> None:
        """Count the suspected job as done."""
        with self._lock:
            self._alone = False
            self._draining_until = None
            self._in_hand -= 1

    def abandon(self) -> None:
        """Let jobs start again, as the suspected one that they made room for will not run here."""
        with self._lock:
            if not self._alone:
                self._draining_until = None

    def _draining(self) -> bool:
        now = self._clock()
        if self._draining_until is not None and now >= self._draining_until:
            self._draining_until = None
            self._retry_at = now + _RETRY_S
        return self._draining_until is not None
