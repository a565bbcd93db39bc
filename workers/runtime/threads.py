"""A thread that runs its function again when that fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ..errors import WorkersError


class RestartingThread:
    """Calls ``run`` on a thread of its own, again after a pause whenever it has ended, until it is stopped.

    ``run`` gets the event that :meth:`stop` sets, and returns soon after that. Its errors are logged: one of
    ours in a line, any other with its traceback. The thread is a daemon: it does not keep the process alive.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[threading.Event], object],
        *,
        pause_s: float,
        logger: logging.Logger,
        failure: str,
    ) -> None:
        """``failure`` begins the log line of an error, such as ``mover failed, another starts``."""
        self._run_once = run
        self._pause_s = pause_s
        self._logger = logger
        self._failure = failure
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to stop; returns at once."""
        self._stopping.set()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until it has stopped."""
        self._thread.join(timeout_s)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._run_once(self._stopping)
            except WorkersError as exc:
                self._logger.warning("%s in %g s: %s", self._failure, self._pause_s, exc)
            except Exception:
                self._logger.exception("%s in %g s", self._failure, self._pause_s)
            self._stopping.wait(self._pause_s)
