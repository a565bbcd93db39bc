"""`todo-workers switches`: takes jobs out before they start, by a filter, and lets them run again."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

from rich.table import Table

from ...application import load_broker, require_queue
from ...broker.kafka_broker import KafkaBroker
from ...controls.decision import Switch, as_json
from ...controls.then import Then
from ...dead_letters.filter import Filter, require_id
from ...errors import WrongUsage
from ...operations.logged import LoggedControls, log_of
from ...operations.switches import Lifted, holding, lift
from ...runtime.interrupts import INTERRUPTED, was_interrupted
from ..terminal import complain, console, visible
from ..who import tell_of
from . import confirming

_AGAIN = "lift the switch once more for the rest: a job may run twice, none is lost"


def add(
    app: str | None,
    where: Filter,
    then: str,
    *,
    who: str,
    why: str,
    wait: str,
    ignore_silent: bool,
    as_json_: bool,
) -> int:
    """Set a switch; returns the exit status."""
    wait_s = confirming.seconds(wait)
    broker = load_broker(app)
    if where.queue is not None:
        require_queue(broker, where.queue)
    with log_of(broker) as log:
        logged = LoggedControls(broker.controls, log.write)
        switch, change = logged.switch(where, Then(then), who=who, why=why)
    if not as_json_:
        print(f"switch {switch.id} {_verb(switch)} {visible(_words(switch))}")
    try:
        found = confirming.confirmed(broker, change, wait_s, quiet=as_json_, ignore_silent=ignore_silent)
    except BaseException:
        if as_json_:  # nothing has said yet that it is there: it would be set once more
            complain(f"switch {switch.id} is set all the same")
        raise
    broker.close()
    if as_json_:
        print(json.dumps(_values(switch, 0) | confirming.as_values(found)))
        return int(not found.is_complete)
    return confirming.tell(found)


def show(app: str | None, *, as_json: bool) -> None:
    """Print the switches, and how many jobs each has taken out in the workers that run now."""
    broker = load_broker(app)
    with broker.controls.watch() as watch:
        state = watch.state
        counts = Counter[str]()
        for process in watch.processes():
            counts.update(process.switched)
    switches = sorted(state.switches.values(), key=lambda one: one.note.when_ms)
    if as_json:
        print(json.dumps([_values(one, counts[one.id]) for one in switches]))
        return
    table = Table("id", "then", "jobs", "taken out", "set", box=None)
    now_ms = time.time() * 1000
    for one in switches:
        jobs = visible(_words(one))
        table.add_row(visible(one.id), one.then, jobs, str(counts[one.id]), visible(one.note.told(now_ms)))
    console().print(table)
    for problem in state.problems:
        complain(str(problem))


def end(
    app: str | None, switch_id: str, *, who: str, why: str, wait: str, ignore_silent: bool, as_json: bool
) -> int:
    """Lift a switch and replay what it holds; returns the exit status."""
    wait_s = confirming.seconds(wait)
    broker = load_broker(app)
    whole_id = _whole_id(broker, switch_id)
    try:
        with log_of(broker) as log:
            lifted = lift(
                broker,
                whole_id,
                who=who,
                why=why,
                timeout_s=wait_s,
                ignore_silent=ignore_silent,
                write=log.write,
                tell=tell_of,
            )
    except (KeyboardInterrupt, RuntimeError) as exc:
        if not was_interrupted(exc):
            raise
        complain(f"interrupted; {_AGAIN}")
        return INTERRUPTED
    broker.close()
    done, held = lifted.resolution.done, lifted.held
    if as_json:
        found = confirming.as_values(lifted.confirmation)
        print(json.dumps({"held": held, "replayed": done, **found}))
        _tell_problems(lifted)
        return int(not lifted.is_complete)
    return _tell(lifted)


def _tell(lifted: Lifted) -> int:
    status = confirming.tell(lifted.confirmation)
    if status:
        complain("nothing was replayed, as those workers would hold it again; lift the switch once more")
        return status
    print(f"{lifted.resolution.done} of {lifted.held} held jobs replayed")
    _tell_problems(lifted)
    return int(not lifted.is_complete)


def _tell_problems(lifted: Lifted) -> None:
    resolution = lifted.resolution
    for letter_id, error in resolution.failures:
        complain(f"not replayed: {letter_id}: {error}")
    if resolution.failed > len(resolution.failures):
        complain(f"and {resolution.failed - len(resolution.failures)} more not replayed")
    if lifted.problem is not None and resolution.can_go_on:
        complain(f"{lifted.problem}; {_AGAIN}")
    elif lifted.problem is not None:
        complain(f"{lifted.problem}; mend that first: each time before, some jobs may run once more")


def _whole_id(broker: KafkaBroker, beginning: str) -> str:
    """The id of the only switch that begins so, also of one that was lifted and holds jobs still.

    The text itself if there is none.
    """
    require_id(beginning)
    found = [one for one in broker.controls.state().switches if one.startswith(beginning)]
    if not found:
        found = [one for one in holding(broker) if one.startswith(beginning)]
    if len(found) > 1 and beginning not in found:
        raise WrongUsage(f"several switches begin with {beginning}: {', '.join(sorted(found)[:3])}")
    if not found:
        complain(f"no switch begins with {beginning}, and no job is held by one that did")
    return found[0] if len(found) == 1 else beginning


def _verb(switch: Switch) -> str:
    return "holds" if switch.then is Then.HOLD else "discards"


def _words(switch: Switch) -> str:
    where = as_json(switch.where)
    parts = [f"{name} {value}" for name, value in where.items() if isinstance(value, str)]
    parts += [f"id {one}" for one in where.get("ids", ())] + list(where.get("where", ()))
    return "jobs of " + ", ".join(parts)


def _values(switch: Switch, count: int) -> dict[str, Any]:
    return {
        "id": switch.id,
        "then": switch.then,
        "where": as_json(switch.where),
        **switch.note.values(),
        "taken_out": count,
    }
