"""Lets every worker process leave the groups of those that died on its machine."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

import dramatiq

from ..kafka import Memberships
from ..threads import RestartingThread
from .runs_thread import RunsThread

logger = logging.getLogger(__name__)

#: Pause between two looks: about how long the partitions of a dead process wait for another one.
_LOOK_EVERY_S = 0.9
#: Pause after a failed look.
_PAUSE_S = 0.1


class HasMemberships(Protocol):
    """The part of the broker that DeathWatch needs."""

    memberships: Memberships


class DeathWatch(RestartingThread):
    """Looks every second, and once more when stopped: dramatiq stops all processes when one of them dies."""

    def __init__(self, broker: HasMemberships) -> None:
        super().__init__(
            "death-watch",
            self._look,
            pause_s=_PAUSE_S,
            logger=logger,
            failure="groups not left for a process that died, trying again",
        )
        self._memberships = broker.memberships

    def _look(self, stopping: threading.Event) -> None:
        self._memberships.leave_for_the_dead()
        if stopping.wait(_LOOK_EVERY_S):
            self._memberships.leave_for_the_dead()


class LeavesForTheDead(RunsThread[DeathWatch]):
    """Runs a `DeathWatch` in every worker process."""

    def __init__(self) -> None:
        super().__init__(DeathWatch)

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Keep looking while the worker's jobs finish, which may take long."""

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        super().before_worker_shutdown(broker, worker)
        super().after_worker_shutdown(broker, worker)
