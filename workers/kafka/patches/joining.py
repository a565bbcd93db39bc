"""A member that gets no records while its group waits for others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kafka.coordinator.base import Generation, MemberState
from kafka.future import Future

from .coordinator import PacedCoordinator

#: How long a poll waits for a join before it goes on: most are answered by then.
_SHORT_WAIT_MS = 50.0
#: How long a poll may wait to take an answer that is there.
_TAKE_MS = 1_000.0


class JoiningCoordinator(PacedCoordinator):
    """Lets a member that has partitions work on while a join waits for others.

    That may take as long as their jobs, or their session. kafka-python 3.0.12 polls nothing meanwhile. And
    the join keeps the connection to the coordinator from everything else, such as commits, as Kafka answers a
    connection in order; so it goes by one of its own.

    The answer is taken in a poll: what it takes away is handed over while the consuming thread waits there.
    kafka-python throws away an answer that comes between two polls, and joins again.
    """

    _generation: Generation
    _join_task: Future | None
    _manager: Any
    #: The generation in which a join was begun that is not answered yet.
    _left: Generation | None = None
    #: Whether the member works on while the join is under way.
    _works_on = False
    #: The join whose answer came between two polls.
    _answer: Future | None = None
    #: Called on the I/O thread when the answer to a join has come.
    on_answer: Callable[[], None] = staticmethod(lambda: None)

    def may_work_on(self) -> bool:
        """Whether there is something to do during a join: partitions that Kafka has not given to others."""
        return not self._generation.is_lost() and bool(self._subscription.assigned_partitions())

    def is_answered(self) -> bool:
        """Whether a poll has an answer to take."""
        return self._works_on and self._join_task is not None and self._join_task.is_done

    def poll(self, timeout_ms: float | None = None) -> Any:
        task = self._join_task
        if self._works_on and task is not None:
            if not task.is_done:
                self._invoke_completed_offset_commit_callbacks()
                self.poll_heartbeat()
                return True
            self._answer = task
            timeout_ms = _TAKE_MS if timeout_ms is None else max(timeout_ms, _TAKE_MS)
        elif self.need_rejoin() and self.may_work_on():
            timeout_ms = _SHORT_WAIT_MS if timeout_ms is None else min(timeout_ms, _SHORT_WAIT_MS)
        result = super().poll(timeout_ms)
        if self._join_task is not None and self._join_task is not task:
            self._join_task.add_both(lambda _: self.on_answer())
        return result

    async def _do_join_and_sync_async(self) -> Any:
        answer, self._answer = self._answer, None
        if answer is not None and self.state is MemberState.REBALANCING:  # else it was put out since
            return await answer
        self._left = self._generation
        self._works_on = self._manager.joins_apart = self.may_work_on()
        try:
            return await super()._do_join_and_sync_async()
        finally:
            self._left = None
            if self._works_on:
                self._manager.close_apart()
