"""`todo-workers topics` and `todo-workers status`: what an operator looks at first."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Group
from rich.live import Live
from rich.table import Table

from .application import load_broker
from .broker import KafkaBroker
from .output import console, length_of_time
from .status import DelayedStatus, QueueStatus, StatusReader
from .topic_check import Checked, check

_WATCH_INTERVAL_S = 2.0


def topics(app: str | None, *, only_check: bool, as_json: bool) -> int:
    """Show the topics, create the missing ones unless ``only_check``; returns the exit status."""
    broker = load_broker(app)
    created = [] if only_check else broker.prepare()
    checked = check(broker.cluster, broker.topic_specs())
    if as_json:
        print(json.dumps([_as_json(topic, created) for topic in checked]))  # noqa: T201
    else:
        console().print(_topics_table(checked, created))
    return int(only_check and any(topic.found is None or topic.differences for topic in checked))


def status(app: str | None, *, watch: bool, as_json: bool) -> None:
    """Show the queues once, or until Ctrl-C."""
    broker = load_broker(app)
    queues = sorted(broker.queues)
    with StatusReader(broker.cluster, broker.topics, broker.delay_tiers, broker.topics_of) as reader:
        if as_json:
            _print_json(reader.read(queues), reader.read_delayed())
            while watch:
                time.sleep(_WATCH_INTERVAL_S)
                _print_json(reader.read(queues), reader.read_delayed())
        elif watch:
            _watch(broker, reader, queues)
        else:
            console().print(_status_view(reader, queues))


def _watch(broker: KafkaBroker, reader: StatusReader, queues: Sequence[str]) -> None:
    place = f"{broker.topics.namespace} at {broker.cluster.address}"
    with Live(console=console(), auto_refresh=False) as live:
        while True:
            caption = f"{place}, every {_WATCH_INTERVAL_S:g} s; Ctrl-C ends"
            live.update(Group(_status_view(reader, queues), caption), refresh=True)
            time.sleep(_WATCH_INTERVAL_S)


def _status_view(reader: StatusReader, queues: Sequence[str]) -> Group:
    table, waiting = _status_table(reader.read(queues)), reader.read_delayed()
    delayed = f"\ndelayed: {waiting.jobs} in all queues, movers: {waiting.movers}"
    if waiting.jobs and not waiting.movers:
        delayed += "; nobody moves them: start a worker, or todo-workers mover"
    return Group(table, delayed)


def _as_json(topic: Checked, created: Sequence[str]) -> dict[str, object]:
    found = topic.found
    return {
        "topic": topic.spec.name,
        "state": _state(topic, created),
        "partitions": found.partitions if found else None,
        "replication_factor": found.replication_factor if found else None,
        "config": dict(found.config) if found and found.config is not None else None,
        "differences": topic.differences,
    }


def _state(topic: Checked, created: Sequence[str]) -> str:
    if topic.found is None:
        return "missing"
    if topic.spec.name in created:
        return "created"
    return "differs" if topic.differences else "ok"


def _topics_table(checked: Sequence[Checked], created: Sequence[str]) -> Table:
    table = Table("topic", "partitions", "replication", "cleanup", "retention", "state", box=None)
    for topic in checked:
        found, state = topic.found, _state(topic, created)
        shown = "; ".join(topic.differences) if state == "differs" else state
        config = (found.config if found else None) or {}
        retention = config.get("retention.ms", "")
        table.add_row(
            topic.spec.name,
            str(found.partitions) if found else "",
            str(found.replication_factor) if found else "",
            config.get("cleanup.policy", ""),
            "never expires" if retention == "-1" else retention and f"{retention} ms",
            shown,
        )
    return table


def _status_table(queues: Sequence[QueueStatus]) -> Table:
    table = Table(box=None)
    for name in ("queue", "partitions", "consumers", "waiting", "running", "oldest", "not trimmed"):
        table.add_column(name, justify="left" if name in {"queue", "oldest"} else "right")
    for queue in queues:
        table.add_row(
            queue.queue,
            str(queue.partitions) if queue.partitions else "no topic",
            str(queue.consumers),
            str(queue.waiting),
            str(queue.running),
            _oldest(queue),
            str(queue.untrimmed),
        )
    return table


def _oldest(queue: QueueStatus) -> str:
    job = queue.oldest
    if job is None:
        return ""
    state = "running" if job.in_hand else "waiting"
    # What others wrote does not say what job it is.
    name = f"{job.actor} {job.message_id}" if job.actor else f"record of {job.topic}"
    return f"{length_of_time(job.age_s)} {state}: {name} ({job.partition}/{job.offset})"


def _print_json(queues: Sequence[QueueStatus], delayed: DelayedStatus) -> None:
    found = {"queues": [asdict(queue) for queue in queues], "delayed": asdict(delayed)}
    print(json.dumps(found), flush=True)  # noqa: T201
