"""Leaves the groups of processes that died on this machine, on a thread."""

from __future__ import annotations

import logging
import threading

from ...runtime.threads import RestartingThread
from .memberships import Memberships

logger = logging.getLogger(__name__)

#: Pause between two looks: about how long the partitions of a dead process wait for another one.
_LOOK_EVERY_S = 0.9
#: Pause after a failed look.
_PAUSE_S = 0.1


class DeathWatch(RestartingThread):
    """Looks every second, and once more when stopped: dramatiq stops all processes when one of them dies."""

    def __init__(self, memberships: Memberships) -> None:
        super().__init__(
            "death-watch",
            self._look,
            pause_s=_PAUSE_S,
            logger=logger,
            failure="groups not left for a process that died, trying again",
        )
        self._memberships = memberships

    def _look(self, stopping: threading.Event) -> None:
        self._memberships.leave_for_the_dead()
        if stopping.wait(_LOOK_EVERY_S):
            self._memberships.leave_for_the_dead()
