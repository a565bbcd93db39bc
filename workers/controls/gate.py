"""The decisions as one process applies them: asked before each job starts. No I/O.

Worker threads ask; the follower replaces the state as a whole. So an answer is as of one moment, and no lock
is needed. Only a job that a switch holds is counted under one, until its dead letter is written.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from ..dead_letters.filter import Job
from .decision import Pause, Switch
from .state import State
from .switchboard import Switchboard
from .then import Then

logger = logging.getLogger(__name__)


class Gate:
    """Which jobs may start in this process. Safe for any thread.

    Nothing is paused before a state is applied: a worker applies one before its first job.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        #: Whether nothing is paused and no switch is set, so that there is nothing to ask before a job.
        self.is_open = True
        self.state = State()
        self._pauses: dict[str, Pause] = {}
        self._board: Switchboard | None = None
        #: Whether it was told that a filter has raised, since the switches last changed.
        self._has_told = False
        #: How many jobs each switch has held or discarded here.
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        #: How many jobs each switch holds whose dead letters are not written yet.
        self._unwritten: Counter[str] = Counter()

    def apply(self, state: State) -> None:
        """Apply a state from now on: no job starts any more that it does not let start."""
        for problem in state.problems:
            if problem not in self.state.problems:
                logger.warning("control ignored: %s", problem)
        self.state = state
        self._pauses = dict(state.pauses)
        self._board = Switchboard(state.switches.values(), self._tell) if state.switches else None
        self._has_told = False
        self.is_open = not state.pauses and not state.switches

    def is_paused(self, queue: str) -> bool:
        """Whether no job of the queue may start now."""
        pause = self._pauses.get(queue)
        return pause is not None and pause.holds(self._clock() * 1000)

    def switch_for(self, job: Job) -> Switch | None:
        """The switch that takes a job out, which counts it then; None for almost every job.

        Call :meth:`written` once the dead letter of a job that it holds is written.
        """
        while (board := self._board) is not None:
            switch = board.match(job)
            if switch is None:
                return None
            if switch.then is Then.HOLD:
                self._count_unwritten(switch.id, 1)
            # In this order: either the thread sees here that the switch was lifted meanwhile, or whoever has
            # applied that sees the job in `has_unwritten`.
            if self._board is board:
                self.counts[switch.id] += 1
                return switch
            if switch.then is Then.HOLD:
                self.written(switch.id)
        return None

    def written(self, switch_id: str) -> None:
        """Note that the dead letter of a job that a switch holds is written."""
        self._count_unwritten(switch_id, -1)

    def has_unwritten(self) -> bool:
        """Whether a job is held by a switch that is lifted, and its dead letter is not written yet.

        Until then it is not true for others that the lift is applied: who replays what was held would miss
        the job.
        """
        with self._lock:
            return not self._unwritten.keys() <= self.state.switches.keys()

    def stops(self, queue: str, actor: str) -> bool:
        """Whether jobs of an actor may not start: its queue is paused, or a switch may match some."""
        switches = self.state.switches.values()
        return self.is_paused(queue) or any(
            one.where.actor in {None, actor} and one.where.queue in {None, queue} for one in switches
        )

    def _count_unwritten(self, switch_id: str, count: int) -> None:
        with self._lock:
            self._unwritten[switch_id] += count
            if not self._unwritten[switch_id]:
                del self._unwritten[switch_id]

    def _tell(self, error: Exception) -> None:
        if not self._has_told:
            self._has_told = True
            logger.warning(
                "switches match nothing where an argument cannot be read: %s: %s", type(error).__name__, error
            )
