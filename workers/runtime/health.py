"""Shows a supervisor whether a worker process is well, by a file that the process keeps fresh."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

logger = logging.getLogger(__name__)

#: How often the file is touched, at most.
_INTERVAL_S = 1.0


class HealthFile:
    """The file ``worker-<process id>`` of a folder; for one thread.

    It exists while the process is well, and its time of change is a few seconds old at most: a process that
    hangs lets it grow old, one that is not well removes it.
    """

    def __init__(self, folder: Path, *, interval_s: float = _INTERVAL_S) -> None:
        """``interval_s``: see :meth:`is_well`."""
        self._path = folder / f"worker-{os.getpid()}"
        self._interval_s = interval_s
        self._touched_at: float | None = None

    def is_well(self) -> None:
        """Touch the file, at most once in every interval. A folder that cannot be written is logged, once."""
        now = time.monotonic()
        if self._touched_at is not None and now - self._touched_at < self._interval_s:
            return
        first, self._touched_at = self._touched_at is None, now
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()
        except OSError as exc:
            if first:
                logger.warning("health file not written path=%s: %s", self._path, exc)

    def is_not_well(self) -> None:
        """Remove the file."""
        self._touched_at = None
        try:
            self._path.unlink(missing_ok=True)
        except OSError as exc:
            logger.warning("health file not removed path=%s: %s", self._path, exc)
