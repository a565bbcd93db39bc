"""Lets a worker process apply what operators decide, from before its first job until after its last."""

from __future__ import annotations

from collections.abc import Callable

import dramatiq

from ..controls.follower import Follower
from .runs_thread import RunsThread


class FollowsControls(RunsThread[Follower]):
    """Runs a `Follower` for each worker."""

    outlives_jobs = True

    def __init__(self, follower: Callable[[dramatiq.Worker], Follower]) -> None:
        """``follower`` makes that of a worker."""
        super().__init__(follower)

    def load(self, worker: dramatiq.Worker) -> None:
        """Read all decisions before the worker's first job. Blocks. Raises KafkaUnreachable."""
        follower = self._make(worker)
        follower.load()
        self._threads[worker] = follower

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        if worker in self._threads:
            self._threads[worker].start()
