"""The mover that every worker process runs: on a thread of its own, made anew when it fails."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ..errors import WorkersError
from ..health import HealthFile
from .mover import Mover

logger = logging.getLogger(__name__)

#: Longest wait in one step: what a stop may take.
_STEP_S = 0.2
#: Wait before a mover that failed is made anew.
_RESTART_DELAY_S = 2.0
#: A mover that has not come round for so long is not healthy.
_STALE_AFTER_S = 30.0


class MoverThread:
    """Runs movers, one after the other where one fails, until it is stopped."""

    def __init__(
        self,
        make: Callable[[], Mover],
        *,
        health: HealthFile | None = None,
        restart_delay_s: float = _RESTART_DELAY_S,
    ) -> None:
        """``make`` connects a mover; its errors count as its failures. ``health`` is well while one runs."""
        self._make = make
        self._health = health
        self._restart_delay_s = restart_delay_s
        self._stopping = threading.Event()
        self._stepped_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="mover", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to stop; returns at once."""
        self._stopping.set()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until it has stopped."""
        self._thread.join(timeout_s)

    @property
    def is_healthy(self) -> bool:
        """Whether a mover runs and comes round; False before the first has connected."""
        stepped_at = self._stepped_at
        fresh = stepped_at is not None and time.monotonic() - stepped_at < _STALE_AFTER_S
        return fresh and self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._run_one()
            except WorkersError as exc:
                logger.warning("mover failed, another starts in %g s: %s", self._restart_delay_s, exc)
            except Exception:
                logger.exception("mover failed, another starts in %g s", self._restart_delay_s)
            self._stepped_at = None
            if self._health is not None:
                self._health.is_not_well()
            self._stopping.wait(self._restart_delay_s)

    def _run_one(self) -> None:
        mover = self._make()
        try:
            while not self._stopping.is_set():
                mover.step(_STEP_S)
                self._stepped_at = time.monotonic()
                if self._health is not None:
                    self._health.is_well()
        finally:
            mover.close()
