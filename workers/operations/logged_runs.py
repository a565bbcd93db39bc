"""The runs that the log of actions tells of, whichever process or command began them. Pure: no I/O, no clock.

The log has the order of all that was done. So every process knows the same: which runs go on, whose turn it
is, and which one somebody wants to stop. A run that goes on says so each minute; one that has not for longer
has ended with its process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..dead_letters.filter import Filter
from ..dead_letters.selection import Bounds
from ..records.numbers import whole
from .action_log import Action

#: How often a run that acts says so, and after how long in silence it has ended.
SAYS_S = 60.0
SILENT_S = 150.0

#: How many runs are known that do not go on.
KEPT = 50

#: The times of a filter, which the log has to the millisecond.
TIMES = ("since_ms", "until_ms")


class Phase(StrEnum):
    """Where a run is; the text completes `the run …`."""

    LOOKING = "looks which letters it is about"
    READY = "waits for the confirmation"
    WAITING = "waits until another run has ended"
    ACTING = "acts"
    STOPPED = "was stopped"
    DONE = "is done"
    FAILED = "has failed"


#: What the log says when a run begins, or goes on after it ended, with the verb of that run.
BEGINNINGS = {"replay": "replay", "mend and replay": "replay", "discard": "discard"}
_ENDINGS = {"ended": Phase.DONE, "stopped": Phase.STOPPED, "failed": Phase.FAILED}


@dataclass
class LoggedRun:
    """A run, by what the log has of it; ``turn`` is the number of the record with which it last began.

    ``heard_ms`` is the time of the last record about it by Kafka's clock: those of machines may differ.
    One that goes on has not begun again, whatever the log says: of two processes that begin it at once, the
    first in the log acts.
    """

    id: str
    verb: str
    who: str
    began_ms: int
    about: Mapping[str, Any]
    turn: int
    total: int
    done_before: int = 0
    done_now: int = 0
    phase: Phase = Phase.ACTING
    heard_ms: int = 0
    stop_wished_by: str | None = None
    bounds: Bounds | None = None

    @property
    def done(self) -> int:
        return self.done_before + self.done_now

    def goes_on(self, now_ms: float) -> bool:
        """Whether it acts, or waits for its turn, in a process that lives."""
        return self.phase is Phase.ACTING and now_ms - self.heard_ms <= SILENT_S * 1000


class LoggedRuns:
    """The runs that a log tells of, taken in action by action: those that go on, and the last others.

    One thread takes in; any may look.
    """

    def __init__(self) -> None:
        self._runs: dict[str, LoggedRun] = {}

    @property
    def by_id(self) -> dict[str, LoggedRun]:
        """The runs by their ids, those that began last at the end."""
        return dict(self._runs)

    def take(self, action: Action) -> None:
        run_id = action.about.get("run")
        if not isinstance(run_id, str):
            return
        run = self._runs.get(run_id)
        verb, _, news = action.did.partition(": ")
        if action.did not in BEGINNINGS:
            if run is not None and verb == run.verb:
                _note(run, action, news)
        elif run is None or not run.goes_on(action.logged_ms):
            self._runs.pop(run_id, None)
            self._runs[run_id] = _begun(run, action, run_id)
            self._forget(action.logged_ms)

    def _forget(self, now_ms: float) -> None:
        for old in list(self._runs.values())[:-KEPT]:
            if not old.goes_on(now_ms):
                del self._runs[old.id]


def _begun(before: LoggedRun | None, action: Action, run_id: str) -> LoggedRun:
    done = before.done if before else 0
    letters = _number(action.about.get("letters"))
    verb = BEGINNINGS[action.did]
    began_ms = before.began_ms if before else action.at_ms
    return LoggedRun(
        run_id,
        verb,
        action.who,
        began_ms,
        action.about,
        action.number,
        done + letters,
        done,
        heard_ms=action.logged_ms,
        bounds=_bounds(action.about.get("bounds")),
    )


def _note(run: LoggedRun, action: Action, news: str) -> None:
    if news == "stop":
        run.stop_wished_by = action.who
        return
    if action.about.get("turn", run.turn) != run.turn:
        return  # it is about an earlier part of the run, and another process has gone on with that meanwhile
    run.heard_ms = action.logged_ms
    run.done_now = _number(action.about.get("done"))
    if news in _ENDINGS:
        run.phase = _ENDINGS[news]
        run.stop_wished_by = None


def comes_before(told: Mapping[str, LoggedRun], run_id: str, now_ms: float) -> LoggedRun | None:
    """A run that goes on and began before this one; None if it is this one's turn."""
    own = told.get(run_id)
    others = (one for one in told.values() if one.id != run_id and one.goes_on(now_ms))
    return next((one for one in others if own is None or one.turn < own.turn), None)


def bounds_as_json(bounds: Bounds, wanted: Filter) -> dict[str, Any]:
    """The bounds of a selection as the log has them, with the filter's times, to the millisecond."""
    last = {str(one): last for one, last in bounds.last.items()}
    return {"last": last, "newest": list(bounds.newest), **{name: getattr(wanted, name) for name in TIMES}}


def _bounds(found: Any) -> Bounds | None:
    try:
        time_ms, partition, offset = map(whole, found["newest"])
        last = {whole(one): whole(offset) for one, offset in found["last"].items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return Bounds(last, (time_ms, partition, offset))


def _number(found: Any) -> int:
    try:
        return whole(found)
    except ValueError:
        return 0
