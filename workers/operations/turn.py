"""One after another: a run waits for those that began before it, by a command or in a dashboard."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..broker.kafka_broker import KafkaBroker
from ..dead_letters.filter import Filter
from ..dead_letters.resolving import Resolution
from .action_log import WriteAction
from .dead_letters import Action
from .logged import Stopped, log_of, written_down
from .told_runs import SAYS_S, ToldRun, ToldRuns, comes_before

#: How often a run looks whether those before it have ended, and at least whether somebody wants it to stop.
_LOOK_S, _STEP_S = 0.5, 1.0


class Turn:
    """A run that the log has the beginning of, until it ends. Its methods block; they are for one thread.

    Two runs that act on the same letters at once would send their jobs twice: one sends what the other has
    sent and not ended yet.
    """

    def __init__(
        self,
        run: str,
        number: int,
        resolution: Resolution,
        told: Callable[[], Mapping[str, ToldRun]],
        write: WriteAction,
        *,
        rest: Callable[[float], object] = time.sleep,
    ) -> None:
        """``number`` is that of the record with which the run began.

        ``told`` returns the runs that the log has by now. ``rest`` waits so many seconds; it may raise
        Stopped.
        """
        self._run = run
        self._number = number
        self._resolution = resolution
        self._told = told
        self._write = write
        self._rest = rest

    def wait_for_others(self, tell: Callable[[ToldRun], object] = lambda _: None) -> None:
        """Wait until none acts that began before; ``tell`` is called with each that is waited for.

        Raises as :meth:`pause`.
        """
        before = None
        while True:
            told = self._told()
            other = comes_before(told, self._run, time.time() * 1000)
            if other is None and self._run in told:
                return
            if other is not None and other.id != before:
                before = other.id
                tell(other)
            self.pause(_LOOK_S)

    def pause(self, seconds: float) -> None:
        """Wait; say now and then that the run goes on, and look whether somebody wants it to stop.

        Raises Stopped if so, or if another process has gone on with it; KafkaUnreachable or NotAuthorized.
        """
        until = time.monotonic() + seconds
        while True:
            own = self._told().get(self._run)
            if own is not None and own.stop_wished_by:
                raise Stopped(f"stopped by {own.stop_wished_by}")
            if own is not None and own.turn != self._number:
                raise Stopped(f"{own.who} has gone on with it")
            left_s = max(0.0, until - time.monotonic())
            self._rest(min(_STEP_S, left_s))
            if own is not None and time.time() - own.heard_ms / 1000 >= SAYS_S:
                about = {"run": self._run, "done": self._resolution.done}
                self._write(own.who, f"{own.verb}: goes on", about)
            if left_s <= _STEP_S:
                return


@contextmanager
def begun(
    broker: KafkaBroker, who: str, action: Action, wanted: Filter, resolution: Resolution, *, letters: int
) -> Iterator[Turn]:
    """Write into the log that an action on so many dead letters begins, and after the block how it ended.

    Connects to the log meanwhile. Raises as :func:`.written_down`.
    """
    run, number = secrets.token_hex(6), 0

    def write(who: str, did: str, about: Mapping[str, Any]) -> None:
        nonlocal number
        written = log.write(who, did, about)
        number = number or written

    def told() -> Mapping[str, ToldRun]:
        log.follow(0)
        assert isinstance(log.chain.listener, ToldRuns)
        return log.chain.listener.by_id

    with (
        log_of(broker, listen=ToldRuns) as log,
        written_down(write, who, action, wanted, resolution, letters=letters, run=run),
    ):
        yield Turn(run, number, resolution, told, write)
