"""Lets threads that write at the same time share one transaction, and so wait for the disk once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: The least pause between two batches while items come several at a time: more of them share the cost then.
_PACE_S = 0.01


class GroupCommit(Generic[T, R]):
    """Passes the items of many threads to ``commit`` in batches: one batch at a time, in order of arrival.

    ``commit`` returns a result for each item, in order. An error of the kind ``concerns_all`` is raised for
    all items of its batch; after any other error each item is committed alone, so that only the wrong one
    fails.

    A thread of its own commits, from the first item on: dramatiq may interrupt a thread that runs a job, and
    others must not lose their commits by that.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[T]], Sequence[R]],
        *,
        concerns_all: type[Exception],
        max_size: int = 500,
    ) -> None:
        self._commit = commit
        self._concerns_all = concerns_all
        self._max_size = max_size
        self._waiting: SimpleQueue[tuple[T, Future[R]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, item: T) -> R:
        """Block until ``item`` is committed, and return its result; raises what ``commit`` raises.

        Raises RuntimeError if the process can have no more threads.
        """
        future: Future[R] = Future()
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
                thread.start()  # may fail; then the item waits for nobody, and the next one tries again
                self._thread = thread
            self._waiting.put((item, future))
        return future.result()

    @property
    def waiting(self) -> int:
        """How many items wait for the next batch."""
        return self._waiting.qsize()

    def close(self) -> None:
        """Commit the items that wait, and end the thread; a later `submit` starts a new one."""
        with self._lock:
            if self._thread is not None:
                self._waiting.put(None)
                self._thread.join()
                self._thread = None

    def _run(self) -> None:
        not_before = 0.0
        while True:
            batch, is_last = self._gather(not_before)
            # Several at once suggests more are coming: wait a little to share the cost.
            not_before = time.monotonic() + _PACE_S if len(batch) > 1 else 0.0
            if batch:
                self._settle(batch)
            if is_last:
                return

    def _gather(self, not_before: float) -> tuple[list[tuple[T, Future[R]]], bool]:
        """Return what waits, and whether to end after it; blocks until there is something to return."""
        found = self._waiting.get()
        time.sleep(max(0.0, not_before - time.monotonic()))
        batch: list[tuple[T, Future[R]]] = []
        while found is not None:
            batch.append(found)
            if len(batch) == self._max_size:
                return batch, False
            try:
                found = self._waiting.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _settle(self, batch: Sequence[tuple[T, Future[R]]]) -> None:
        try:
            results = self._commit([item for item, _ in batch])
        except Exception as exc:  # noqa: BLE001 - raised in the threads that submitted the items
            if len(batch) > 1 and not isinstance(exc, self._concerns_all):
                for one in batch:
                    self._settle([one])
                return
            for _, future in batch:
                future.set_exception(exc)
        else:
            for (_, future), result in zip(batch, results, strict=True):
                future.set_result(result)
