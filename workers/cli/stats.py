"""`todo-workers stats`: shows what the fleet did, by queue and actor."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.table import Table

from ..application import load_broker
from ..measures.families import Labels
from ..stats.figures import Counts
from ..stats.history import Grain, History, Slot
from ..stats.reader import StatsReader
from .terminal import console, visible

_QUANTILE = 0.95


def show(app: str | None, *, grain: Grain, queue: str | None, actor: str | None, as_json: bool) -> None:
    """Show the last hour, or thirty days."""
    broker = load_broker(app)
    with StatsReader(broker.cluster, broker.topics.stats) as reader:
        history = reader.read()
    totals = {
        labels: counts
        for labels, counts in sorted(history.totals(grain).items())
        if queue in {None, labels[0]} and actor in {None, labels[1]}
    }
    if as_json:
        slots = history.slots(grain, queue=queue, actor=actor)
        rows = [
            {"queue": labels[0], "actor": labels[1], **_values(counts)} for labels, counts in totals.items()
        ]
        print(json.dumps({"totals": rows, "slots": [_slot(slot, history) for slot in slots]}))
    elif totals:
        console().print(_table(totals))
    else:
        print(f"no job ended in the last {'hour' if grain == 'detail' else 'thirty days'}")


def _table(totals: dict[Labels, Counts]) -> Table:
    table = Table(box=None)
    for name in ("queue", "actor"):
        table.add_column(name)
    for name in ("done", "retried", "dead", "wait p95", "runs p95"):
        table.add_column(name, justify="right")
    for (queue, actor), counts in totals.items():
        numbers: Sequence[int] = (counts.done, counts.retried, counts.dead)
        times = (_seconds(counts.wait_s(_QUANTILE)), _seconds(counts.duration_s(_QUANTILE)))
        table.add_row(visible(queue), visible(actor), *map(str, numbers), *times)
    return table


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3g} s"


def _slot(slot: Slot, history: History) -> dict[str, object]:
    return {
        "start": slot.start_s,
        "length_s": slot.length_s,
        "per_s": round(slot.per_s(history.now_s), 3),
        **_values(slot.counts),
    }


def _values(counts: Counts) -> dict[str, object]:
    return {
        "done": counts.done,
        "retried": counts.retried,
        "dead": counts.dead,
        "skipped": counts.skipped,
        "wait_mean_s": counts.mean_wait_s,
        "wait_p95_s": counts.wait_s(_QUANTILE),
        "duration_mean_s": counts.mean_duration_s,
        "duration_p95_s": counts.duration_s(_QUANTILE),
    }
