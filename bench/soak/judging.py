"""Judges a run: what was lost, what came twice, what grew. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .flatness import Bound, Verdict, judge
from .run import Result
from .samples import COMPACTED

#: A process opens some more as it meets each kind of trouble for the first time: a job that is tried again, a
#: service that was away. Over a shorter time than that this would look like growth.
_PROCESSES = Bound(share=0.2, more=10, warm_up_s=180, least_s=300)
#: The first backlogs raise what Python holds to a height that stays, as a process of a longer life shows.
_MEMORY = Bound(share=1.0, more=15, warm_up_s=180, least_s=300)
_MEMORY_BETWEEN_KILLS = Bound(share=0.2, more=15, warm_up_s=180, least_s=40)
#: So long after a service is back, the others are busy with what waited for it.
_BUSY_AFTER_S = 30.0
#: Retention and pruning must have had their first turns: Kafka looks every five minutes.
_ROWS = Bound(share=0.3, more=500, warm_up_s=720, least_s=420)
_COMPACTED_MB = Bound(share=0.3, more=5, warm_up_s=720, least_s=420)
_BOUNDS = {
    "memory, MB": _MEMORY,
    "open files": _PROCESSES,
    "connections": _PROCESSES,
    "threads": _PROCESSES,
    "rows": _ROWS,
    "records": _ROWS,
}
#: Kafka and PostgreSQL take what they are allowed before they free any: heap, buffers, open files.
_OTHERS = Bound(share=0.5, more=100, warm_up_s=180, least_s=300)
_OF_OTHERS = ("kafka", "database")
_OF_PROCESSES = ("memory, MB", "open files", "connections", "threads")
#: Mails that a worker process may have in hand, each of which a kill may repeat: SMTP_CONNECTIONS.
_IN_HAND = 4
_WORKERS = 2


def verdicts(result: Result) -> list[Verdict]:
    """Each figure that must be flat. Files of other topics and of tables are freed in large pieces.

    Along the curve of a day, rows and records follow the load, so only the processes are judged.
    """
    bounds = _BOUNDS if result.load.is_steady else {name: _BOUNDS[name] for name in _OF_PROCESSES}
    disturbed = [(done.kill.at_s, done.kill.at_s + done.back_s + _BUSY_AFTER_S) for done in result.kills]
    found = []
    for name, points in sorted(result.samples.series.items()):
        what, _, whose = name.partition(": ")
        bound = bounds.get(what)
        if result.load.is_steady and what == "topic, MB" and whose in COMPACTED:
            bound = _COMPACTED_MB
        if whose in _OF_OTHERS:
            bound = _OTHERS
        if bound is not None:
            found.append(judge(name, points, bound, result.load.length_s))
        if bound is _MEMORY and disturbed:
            between = f"{what} between kills: {whose}"
            found.append(judge(between, points, _MEMORY_BETWEEN_KILLS, result.load.length_s, disturbed))
    return found


def repeats_allowed(result: Result) -> int:
    """How many mails the kills explain: those whose answer was on its way when a process died."""
    killed = [done.kill.target for done in result.kills]
    workers = sum(target.startswith("worker") for target in killed)
    return _IN_HAND * (workers + _WORKERS * killed.count("mail"))


def failures(result: Result, found: Sequence[Verdict]) -> list[str]:
    """Why the run has not passed; nothing if it has."""
    outcome, allowed = result.outcome, repeats_allowed(result)
    failed = list(result.problems)
    if outcome.lost_rows or outcome.lost_mails:
        failed.append(f"{outcome.lost_rows} audit rows and {outcome.lost_mails} mails are missing")
    if outcome.repeated > allowed:
        failed.append(f"{outcome.repeated} mails came again, the kills explain {allowed}")
    failed += [
        f"{one.name} grows by {one.growth:,.1f}, {one.allowed:,.1f} are allowed"
        for one in found
        if not one.is_flat
    ]
    return failed
