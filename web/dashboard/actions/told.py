"""Runs as pages show them, by what the log of actions tells of them. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from workers.errors import WorkersError
from workers.operations.logged_runs import TIMES, LoggedRun, Phase
from workers.records.numbers import whole

from ..filters import FIELDS, NO_EXCEPTION, filter_of
from .run import Run


def is_others(run: Run, told: Mapping[str, LoggedRun]) -> bool:
    """Whether another process has begun a run, or gone on with it, since this one last did."""
    one = told.get(run.id)
    return one is not None and run.turn < one.turn


def as_run(told: LoggedRun, now_ms: float) -> Run:
    """The run as pages show one, and as it can go on here if it does not elsewhere."""
    asked = {name: str(told.about[name]) for name in FIELDS if told.about.get(name)}
    if told.about.get("kind") == "":
        asked["kind"] = ""
    if asked.get("exception") == "none":
        asked["exception"] = NO_EXCEPTION
    run = Run(told.verb, told.who, filter_of({}, 0), asked, id=told.id, began_at=told.began_ms / 1000)
    run.total, run.done_before, run.phase, run.turn = told.total, told.done, told.phase, told.turn
    run.is_elsewhere = told.goes_on(now_ms)
    if told.phase is Phase.ACTING and not run.is_elsewhere:
        run.phase, run.problem = Phase.STOPPED, "its process has not been heard of for some minutes"
    # Mended arguments are in no log: such a letter is mended again instead.
    if "places" not in told.about and "into" not in told.about and "where" not in told.about:
        with suppress(WorkersError, ValueError):
            times = _times(told.about["bounds"]) if told.bounds else {}
            run.wanted = replace(filter_of(asked, int(now_ms)), **times)
            run.bounds = told.bounds
    return run


def _times(bounds: Mapping[str, Any]) -> dict[str, Any]:
    """The times of a filter as the log has them; those that somebody else wrote may be anything."""
    found = {name: bounds.get(name) for name in TIMES}
    return {name: None if time is None else whole(time) for name, time in found.items()}
