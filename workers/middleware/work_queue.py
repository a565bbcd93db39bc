"""Hands jobs over to a worker's threads, and wakes few of them for it.

queue.PriorityQueue, which dramatiq's worker uses, wakes a thread for each job that comes while threads wait.
Each of them then needs Python's lock, often to find that one that was awake has done the job already. That
was a tenth of all that a job costs that does nothing.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush
from queue import Empty, PriorityQueue
from threading import TIMEOUT_MAX, Lock
from time import monotonic
from typing import Any

import dramatiq


class WorkQueue(PriorityQueue[Any]):
    """A queue without bounds: the lowest ``priority`` first, among equals in their order. For any thread.

    One waiting thread at a time is on its way: it wakes the next one when it takes its job, if that leaves
    any. So no job waits for long while a thread has nothing to do, and several short ones wake one thread.
    """

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        #: The locks that waiting threads want, each until it is woken.
        self._waiting: list[Any] = []
        self._is_one_on_its_way = False
        self._count = 0

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ARG002 - a queue's
        """Add a job. Does not block."""
        with self.mutex:
            # Tuples are compared without a call of Python's, unlike dramatiq's items.
            self._count += 1
            heappush(self.queue, (item.priority, self._count, item))
            self.unfinished_tasks += 1
            self._wake_one()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the next job; waits until there is one. Raises queue.Empty after ``timeout`` seconds."""
        until = math.inf if timeout is None else monotonic() + timeout
        while True:
            waiter: Any = None
            try:
                with self.mutex:
                    if self.queue:
                        item = heappop(self.queue)[2]
                        self._wake_one()
                        return item
                    if not block or monotonic() >= until:
                        raise Empty
                    waiter = Lock()
                    waiter.acquire()
                    self._waiting.append(waiter)
                waiter.acquire(timeout=min(max(0.0, until - monotonic()), TIMEOUT_MAX))
            finally:
                if waiter is not None:
                    self._leave(waiter)

    def _leave(self, waiter: Any) -> None:
        with self.mutex:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            # Also after a wait in vain, or an error that another thread raised in this one, as dramatiq's
            # time limits do: else a thread that has got lost on its way would keep all others asleep.
            self._is_one_on_its_way = False

    def _wake_one(self) -> None:
        """Wake a thread if there is a job and none is on its way. For who holds the mutex."""
        if self.queue and self._waiting and not self._is_one_on_its_way:
            self._is_one_on_its_way = True
            self._waiting.pop().release()


class SetsWorkQueue(dramatiq.Middleware):
    """Gives each worker a `WorkQueue`, before its threads begin."""

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        worker.work_queue = WorkQueue()
