"""Runs a thread in every worker process, for as long as its worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import dramatiq

from ..runtime.threads import RestartingThread

T = TypeVar("T", bound=RestartingThread)


class RunsThread(dramatiq.Middleware, Generic[T]):
    """Starts a thread when a worker has booted, and ends it with the worker.

    Each use is a class of its own: dramatiq warns of a middleware whose type a broker has already.
    The thread is asked to stop when the worker begins to shut down, and ends while the worker's jobs finish.
    """

    #: Whether the thread goes on until the worker's jobs are done, which may take long.
    outlives_jobs = False

    def __init__(self, make: Callable[[Any], T]) -> None:
        """``make`` gets the broker."""
        self._make = make
        self._threads: dict[dramatiq.Worker, T] = {}

    @property
    def threads(self) -> list[T]:
        """The threads of this process: one for each worker that runs."""
        return list(self._threads.values())

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        thread = self._threads[worker] = self._make(broker)
        thread.start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        if worker in self._threads and not self.outlives_jobs:
            self._threads[worker].stop()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        thread = self._threads.pop(worker, None)
        if thread is not None:
            thread.stop()
            thread.join()
