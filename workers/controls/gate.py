"""The decisions as one process applies them: asked before each job starts. No I/O.

Worker threads ask; the follower replaces the state as a whole. So an answer is as of one moment, and no lock
is needed.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from ..dead_letters.filter import Job
from .decision import Pause, Switch
from .state import State
from .switchboard import Switchboard

logger = logging.getLogger(__name__)


class Gate:
    """Which jobs may start in this process. Safe for any thread.

    Nothing is paused before a state is applied: a worker applies one before its first job.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.state = State()
        self._pauses: dict[str, Pause] = {}
        self._board: Switchboard | None = None
        #: Whether it was told that a filter has raised, since the switches last changed.
        self._has_told = False
        #: How many jobs each switch has held or discarded here.
        self.counts: Counter[str] = Counter()

    def apply(self, state: State) -> None:
        """Apply a state from now on: no job starts any more that it does not let start."""
        for problem in state.problems:
            if problem not in self.state.problems:
                logger.warning("control ignored: %s", problem)
        self.state = state
        self._pauses = dict(state.pauses)
        self._board = Switchboard(state.switches.values(), self._tell) if state.switches else None
        self._has_told = False

    def is_paused(self, queue: str) -> bool:
        """Whether no job of the queue may start now."""
        pause = self._pauses.get(queue)
        return pause is not None and pause.holds(self._clock() * 1000)

    def switch_for(self, job: Job) -> Switch | None:
        """The switch that takes a job out, which counts it then; None for almost every job."""
        if self._board is None:
            return None
        switch = self._board.match(job)
        if switch is not None:
            self.counts[switch.id] += 1
        return switch

    def stops(self, queue: str, actor: str) -> bool:
        """Whether jobs of an actor may not start: its queue is paused, or a switch may match some."""
        switches = self.state.switches.values()
        return self.is_paused(queue) or any(
            one.where.actor in {None, actor} and one.where.queue in {None, queue} for one in switches
        )

    def _tell(self, error: Exception) -> None:
        if not self._has_told:
            self._has_told = True
            logger.warning(
                "switches match nothing where an argument cannot be read: %s: %s", type(error).__name__, error
            )
