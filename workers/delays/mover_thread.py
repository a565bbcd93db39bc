"""Runs a worker process's mover on a thread of its own, and makes it anew when it fails."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ..kafka import Memberships
from ..kafka.membership.death_watch import DeathWatch
from ..runtime.health import HealthFile
from ..runtime.threads import RestartingThread
from .mover import Mover

logger = logging.getLogger(__name__)

#: Longest wait in one step: a stop takes so long at most.
_STEP_S = 0.5
#: Pause before a failed mover is made anew.
_RESTART_DELAY_S = 2.0
#: A mover whose last step was longer ago is not healthy.
_STALE_AFTER_S = 30.0


class MoverThread(RestartingThread):
    """Runs a mover until the thread is stopped, and another one whenever a mover fails.

    It brings a `DeathWatch` along, from :meth:`start` to :meth:`join`: a mover that died holds its partitions
    until its session has run out, unless another leaves for it, and a worker's jobs may end after its mover.
    """

    def __init__(
        self,
        make: Callable[[], Mover],
        memberships: Memberships,
        *,
        health: HealthFile | None = None,
        restart_delay_s: float = _RESTART_DELAY_S,
    ) -> None:
        """``make`` connects a mover; its errors count as its failures. ``health`` is well while one runs.

        ``memberships`` are those of the mover's broker.
        """
        super().__init__(
            "mover",
            self._run_mover,
            pause_s=restart_delay_s,
            logger=logger,
            failure="mover failed, another starts",
        )
        self._make = make
        self._death_watch = DeathWatch(memberships)
        self._health = health
        self._stepped_at: float | None = None

    def start(self) -> None:
        super().start()
        self._death_watch.start()

    def join(self, timeout_s: float | None = None) -> None:
        self._death_watch.stop()
        super().join(timeout_s)
        self._death_watch.join(timeout_s)

    @property
    def is_healthy(self) -> bool:
        """Whether a mover runs and makes its steps; False before the first has connected."""
        stepped_at = self._stepped_at
        fresh = stepped_at is not None and time.monotonic() - stepped_at < _STALE_AFTER_S
        return fresh and self.is_alive()

    def _run_mover(self, stopping: threading.Event) -> None:
        try:
            mover = self._make()
            try:
                while not stopping.is_set():
                    mover.step(_STEP_S)
                    self._stepped_at = time.monotonic()
                    if self._health is not None:
                        self._health.is_well()
            finally:
                mover.close()
        finally:
            self._stepped_at = None
            if self._health is not None:
                self._health.is_not_well()
