"""A thread that works while somebody wants it, and ends when nobody has for a while."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from workers.errors import WorkersError

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Opens what the steps need. The function that it yields is one step: it returns the pause after it, in s.
Work = Callable[[], AbstractContextManager[Callable[[], float]]]

#: How long nobody must have wanted it before it ends. A page that is live wants it each second.
IDLE_S = 10.0
#: The pauses after a step that failed: the first one, and the longest.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the last steps failed; ``since`` is in seconds since 1970."""

    text: str
    since: float


class OnDemand:
    """Repeats steps on a thread of its own while somebody wants it. Its methods are for any thread.

    A step that fails is tried again with what it needs opened anew; meanwhile :attr:`problem` says why.
    """

    def __init__(self, name: str, work: Work, *, idle_s: float = IDLE_S) -> None:
        self._name = name
        self._work = work
        self._idle_s = idle_s
        self._wanted_at = 0.0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self.problem: Problem | None = None

    @property
    def is_running(self) -> bool:
        return self._thread is not None

    def want(self) -> None:
        """Start the thread if it does not run, and keep it for a while. Does not block."""
        with self._lock:
            self._wanted_at = time.monotonic()
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def wait_for(self, is_there: Callable[[], bool], timeout_s: float) -> None:
        """Keep the thread, and block until something is there or there is a problem, at most so long."""
        self.want()
        deadline = time.monotonic() + timeout_s
        while not is_there() and self.problem is None and time.monotonic() < deadline:
            time.sleep(0.01)

    def call(self, job: Callable[[], T]) -> Future[T]:
        """Have the thread do something between two steps; its future fails if the thread cannot work."""
        future: Future[T] = Future()
        self._calls.put((future, job))
        self.want()
        return future

    def close(self) -> None:
        """End the thread, and wait for that; nothing starts it again."""
        with self._lock:
            self._closing = True
            thread = self._thread
        self._calls.put(None)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._ends():
            try:
                with self._work() as step:
                    while not self._is_over():
                        rest = step()
                        self.problem, pause = None, _FIRST_PAUSE_S
                        self._serve(rest, None)
            except Exception as exc:
                if not isinstance(exc, WorkersError):
                    logger.exception("%s.failed, trying again", self._name)
                self.problem = Problem(str(exc), self.problem.since if self.problem else time.time())
                self._serve(pause, exc)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _is_over(self) -> bool:
        return self._closing or time.monotonic() - self._wanted_at >= self._idle_s

    def _ends(self) -> bool:
        """Whether the thread must end; if so, the next wish starts another one. Nothing is open then."""
        with self._lock:
            if not self._is_over():
                return False
            self._thread = None
            return True

    def _serve(self, for_s: float, error: Exception | None) -> None:
        """Do what others ask for until the time is over; with an error, they get that."""
        until = time.monotonic() + for_s
        while True:
            try:
                asked = self._calls.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return
            if asked is None:
                return
            future, job = asked
            if not future.set_running_or_notify_cancel():
                continue
            if error is not None:
                future.set_exception(error)
                continue
            try:
                future.set_result(job())
            except Exception as exc:  # noqa: BLE001 - it is the asker's
                future.set_exception(exc)
