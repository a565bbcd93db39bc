"""Runs a mover of delayed jobs in every worker process."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ..delays.mover import Mover
from ..delays.mover_thread import MoverThread
from ..kafka import Memberships
from ..runtime.health import HealthFile
from .runs_thread import RunsThread


class MovesJobs(Protocol):
    """The part of the broker that RunsMover needs."""

    memberships: Memberships

    def make_mover(self) -> Mover:
        """See :meth:`KafkaBroker.make_mover`."""


class RunsMover(RunsThread[MoverThread]):
    """Moves delayed jobs on a thread that lives as long as the worker."""

    def __init__(self, health_dir: Path | None = None) -> None:
        """``health_dir``: see :class:`KafkaBroker`."""

        def make(broker: MovesJobs) -> MoverThread:
            health = None if health_dir is None else HealthFile(health_dir)
            return MoverThread(broker.make_mover, broker.memberships, health=health)

        super().__init__(make)

    @property
    def is_healthy(self) -> bool:
        """Whether each worker of this process has a healthy mover; False if there is no worker."""
        return bool(self.threads) and all(thread.is_healthy for thread in self.threads)
