"""`todo-workers queues`: pauses queues and lets them go on; shows which are paused."""

from __future__ import annotations

import json
import time
from typing import Any

from rich.table import Table

from ...application import load_broker, require_queue
from ...broker.kafka_broker import KafkaBroker
from ...controls.controls import Change
from ...controls.decision import Pause
from ...display.times import timestamp
from ...operations.logged import LoggedControls, log_of
from ..terminal import complain, console, visible
from ..times import parse_length
from . import confirming


def pause(
    app: str | None,
    queue: str,
    *,
    for_: str | None,
    who: str,
    why: str,
    wait: str,
    ignore_silent: bool,
    as_json: bool,
) -> int:
    """Pause a queue; returns the exit status."""
    for_s = None if for_ is None else parse_length(for_).total_seconds()
    wait_s = confirming.seconds(wait)
    broker = load_broker(app)
    require_queue(broker, queue)
    with log_of(broker) as log:
        change = LoggedControls(broker.controls, log.write).pause(queue, who=who, why=why, for_s=for_s)
    end = "" if for_s is None else f" until {timestamp(int((time.time() + for_s) * 1000))}"
    return _confirm(
        broker, change, f"queue {queue} is paused{end}", wait_s, ignore_silent=ignore_silent, as_json=as_json
    )


def resume(
    app: str | None, queue: str, *, who: str, why: str, wait: str, ignore_silent: bool, as_json: bool
) -> int:
    """Let a queue go on; returns the exit status."""
    wait_s = confirming.seconds(wait)
    broker = load_broker(app)
    if queue not in broker.controls.state().pauses:  # one that is paused may not be declared any more
        require_queue(broker, queue)
    with log_of(broker) as log:
        change = LoggedControls(broker.controls, log.write).resume(queue, who=who, why=why)
    return _confirm(
        broker, change, f"queue {queue} goes on", wait_s, ignore_silent=ignore_silent, as_json=as_json
    )


def show(app: str | None, *, as_json: bool) -> None:
    """Print the queues, and those that are paused though nobody declares them here."""
    broker = load_broker(app)
    state = broker.controls.state()
    paused = state.paused(time.time() * 1000)
    names = sorted(broker.queues.keys() | paused.keys())
    if as_json:
        print(json.dumps([as_values(name, paused.get(name)) for name in names]))
        return
    table = Table("queue", "state", "who", "since", "until", "why", box=None)
    for name in names:
        table.add_row(visible(name), *_cells(paused.get(name)))
    console().print(table)
    for problem in state.problems:
        complain(str(problem))


def as_values(queue: str, pause: Pause | None) -> dict[str, Any]:
    """A queue's state as JSON values."""
    values: dict[str, Any] = {"queue": queue, "paused": pause is not None}
    return values if pause is None else values | pause.note.values()


def _cells(pause: Pause | None) -> tuple[str, ...]:
    if pause is None:
        return "open", "", "", "", ""
    return "paused", *map(visible, pause.note.cells(time.time() * 1000))


def _confirm(
    broker: KafkaBroker, change: Change, done: str, wait_s: float, *, ignore_silent: bool, as_json: bool
) -> int:
    if not as_json:
        print(done)
    found = confirming.confirmed(broker, change, wait_s, quiet=as_json, ignore_silent=ignore_silent)
    broker.close()
    if as_json:
        print(json.dumps({"done": done, **confirming.as_values(found)}))
        return int(not found.is_complete)
    return confirming.tell(found)
