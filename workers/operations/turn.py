"""One after another: a run waits for those that began before it, by a command or in a dashboard."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..broker.kafka_broker import KafkaBroker
from ..dead_letters.filter import Filter
from ..dead_letters.resolving import Resolution
from ..errors import WorkersError
from .action_log import WriteAction
from .dead_letters import LetterAction
from .logged import Busy, Stopped, Unheard, log_of, written_down
from .logged_runs import SAYS_S, SILENT_S, LoggedRun, LoggedRuns, comes_before

logger = logging.getLogger(__name__)

#: How often a run looks whether those before it have ended, and otherwise what the log has.
_LOOK_S, _STEP_S = 0.5, 1.0


class Turn:
    """A run that the log has the beginning of, until it ends. Its methods block; they are for one thread.

    Two runs that act on the same letters at once would send their jobs twice: one sends what the other has
    sent and not ended yet.

    Both methods raise Stopped if somebody wants the run to stop, or if another process has gone on with it;
    Unheard if the log has not had news of it for so long that others may have taken its turn: the process was
    stopped for a while, or the log cannot be written. A log that is away for a shorter time stops nothing.
    """

    def __init__(
        self,
        run: str,
        number: int,
        resolution: Resolution,
        told: Callable[[], Mapping[str, LoggedRun]],
        write: WriteAction,
        *,
        now_ms: Callable[[], float],
        rest: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``number`` is that of the record with which the run began.

        ``told`` returns the runs that the log has by now, ``now_ms`` the time by its clock. ``rest`` waits so
        many seconds; it may raise Stopped. ``clock`` tells how long that took.
        """
        self._run = run
        self._number = number
        self._resolution = resolution
        self._told = told
        self._write = write
        self._now_ms = now_ms
        self._rest = rest
        self._clock = clock
        self._known: Mapping[str, LoggedRun] = {}
        self._heard_ms = now_ms()
        self._asked_at: float | None = None

    def wait_for_others(
        self, tell: Callable[[LoggedRun], object] = lambda _: None, *, most_s: float | None = None
    ) -> None:
        """Wait until none acts that began before; ``tell`` is called with each that is waited for.

        Raises Busy if one still acts after ``most_s`` seconds.
        """
        before, began = None, self._clock()
        while True:
            is_known = self._ask()
            other = comes_before(self._known, self._run, self._now_ms())
            if other is None and is_known and self._run in self._known:
                return
            if other is not None and most_s is not None and self._clock() - began >= most_s:
                raise Busy(f"{other.who} acts: a {other.verb} of {other.total}")
            if other is not None and other.id != before:
                before = other.id
                tell(other)
            self._rest(_LOOK_S)

    def pause(self, seconds: float) -> None:
        """Wait, and look each second what the log has; each minute, say there that the run goes on.

        To be called at least each minute, also with 0.
        """
        until = self._clock() + seconds
        while True:
            left_s = max(0.0, until - self._clock())
            self._rest(min(_STEP_S, left_s))
            if self._asked_at is None or self._clock() - self._asked_at >= _STEP_S:
                self._ask()
            if left_s <= _STEP_S:
                return

    def _ask(self) -> bool:
        """Look what the log has, and say that the run goes on if it is time; whether that was possible."""
        self._asked_at = self._clock()
        try:
            self._known = self._told()
            own = self._known.get(self._run)
            if own is not None:
                self._check(own)
                self._heard_ms = own.heard_ms
            silent_s = self._require_heard(SILENT_S)
            if own is not None and silent_s >= SAYS_S:
                about = {"run": self._run, "done": self._resolution.done, "turn": self._number}
                self._write(own.who, f"{own.verb}: goes on", about)
        except WorkersError as exc:
            logger.warning("the log of actions does not hear that run %s goes on: %s", self._run, exc)
            self._require_heard(SILENT_S - SAYS_S, exc)  # before others may act
            return False
        return True

    def _check(self, own: LoggedRun) -> None:
        if own.stop_wished_by:
            raise Stopped(f"stopped by {own.stop_wished_by}")
        if own.turn != self._number:
            raise Stopped(f"{own.who} has gone on with it")

    def _require_heard(self, most_s: float, error: WorkersError | None = None) -> float:
        """For how many seconds the log has had no news of the run; raises Unheard if that is too long."""
        silent_s = (self._now_ms() - self._heard_ms) / 1000
        if silent_s > most_s:
            cause = f": {error}" if error else ", as if its process had stood still"
            raise Unheard(
                f"the log of actions had no news of it for {silent_s:.0f} s, so others may act{cause}"
            ) from error
        return silent_s


@contextmanager
def begun(
    broker: KafkaBroker,
    who: str,
    action: LetterAction,
    wanted: Filter,
    resolution: Resolution,
    *,
    letters: int,
) -> Iterator[Turn]:
    """Write into the log that an action on so many dead letters begins, and after the block how it ended.

    Connects to the log meanwhile. Raises as :func:`.written_down`.
    """
    run, number = secrets.token_hex(6), 0

    def write(who: str, did: str, about: Mapping[str, Any]) -> None:
        nonlocal number
        written = log.write(who, did, {**about, "turn": number} if number else about)
        number = number or written

    def told() -> Mapping[str, LoggedRun]:
        log.follow(0)
        assert isinstance(log.chain.listener, LoggedRuns)
        return log.chain.listener.by_id

    with (
        log_of(broker, listen=LoggedRuns) as log,
        written_down(write, who, action, wanted, resolution, letters=letters, run=run),
    ):
        yield Turn(run, number, resolution, told, log.write, now_ms=log.now_ms)
