"""Runs a mover of delayed jobs in every worker process."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import dramatiq

from ..delays.mover import Mover
from ..delays.mover_thread import MoverThread
from ..health import HealthFile


class MovesJobs(Protocol):
    """What it needs from the broker."""

    def make_mover(self) -> Mover:
        """See :meth:`KafkaBroker.make_mover`."""


class RunsMover(dramatiq.Middleware):
    """Moves delayed jobs on a thread that lives as long as the worker."""

    def __init__(self, health_dir: Path | None = None) -> None:
        """``health_dir``: see :class:`KafkaBroker`."""
        self._health_dir = health_dir
        self._threads: dict[dramatiq.Worker, MoverThread] = {}

    @property
    def is_healthy(self) -> bool:
        """Whether each worker of this process has a healthy mover; False if there is no worker."""
        threads = list(self._threads.values())
        return bool(threads) and all(thread.is_healthy for thread in threads)

    def after_worker_boot(self, broker: MovesJobs, worker: dramatiq.Worker) -> None:  # type: ignore[override]
        health = None if self._health_dir is None else HealthFile(self._health_dir)
        thread = self._threads[worker] = MoverThread(broker.make_mover, health=health)
        thread.start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        # It leaves its group while the jobs of the worker finish.
        if worker in self._threads:
            self._threads[worker].stop()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        thread = self._threads.pop(worker, None)
        if thread is not None:
            thread.join()
