"""`todo-workers topics` and `todo-workers status`: what an operator looks at first."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..application import load_broker
from ..broker.kafka_broker import KafkaBroker
from ..dead_letters.reader import Counts
from ..operations.queue_status import DelayedStatus, QueueStatus, StatusReader
from ..operations.topic_check import Checked, check
from .terminal import console, length_of_time, progress, visible

_WATCH_INTERVAL_S = 2.0
#: Dead letters are counted again when so many times what that took has passed.
_COUNT_SHARE = 10


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
    with StatusReader(broker.cluster, broker.topics, broker.delay_tiers, broker.topics_of) as reader:
        look = _Look(broker, reader)
        if as_json:
            _print_json(look.read())
            while watch:
                time.sleep(_WATCH_INTERVAL_S)
                _print_json(look.read())
        elif watch:
            _watch(broker, look)
        else:
            console().print(_status_view(look.read()))


class _Look:
    """Reads all of the status again and again."""

    def __init__(self, broker: KafkaBroker, reader: StatusReader) -> None:
        self._queues = sorted(broker.queues)
        self._reader = reader
        self._counts = Counts(broker.cluster, broker.topics.dead_letters)
        self._dead_letters: Counter[str] = Counter()
        self._count_at = 0.0

    def read(self) -> _Status:
        """Raises KafkaUnreachable or NotAuthorized."""
        return _Status(
            self._reader.read(self._queues), self._reader.read_delayed(), self._read_dead_letters()
        )

    def _read_dead_letters(self) -> Counter[str]:
        started = time.monotonic()
        if started >= self._count_at:
            with progress("counting dead letters") as advance:
                self._dead_letters = self._counts.count(advance)
            # Where there are very many, watching them must not be all that the cluster does.
            self._count_at = time.monotonic() + _COUNT_SHARE * (time.monotonic() - started)
        return self._dead_letters


class _Status(NamedTuple):
    queues: Sequence[QueueStatus]
    delayed: DelayedStatus
    dead_letters: Counter[str]


def _watch(broker: KafkaBroker, look: _Look) -> None:
    place = f"{broker.topics.namespace} at {broker.cluster.address}"
    first = look.read()  # a progress bar of its own
    with Live(console=console(), auto_refresh=False) as live:
        found = first
        while True:
            caption = f"{place}, every {_WATCH_INTERVAL_S:g} s; Ctrl-C ends"
            live.update(Group(_status_view(found), caption), refresh=True)
            time.sleep(_WATCH_INTERVAL_S)
            found = look.read()


def _status_view(found: _Status) -> Group:
    lines = [f"delayed: {found.delayed.jobs} in all queues, movers: {found.delayed.movers}"]
    if found.delayed.jobs and not found.delayed.movers:
        lines[0] += "; nobody moves them: start a worker, or todo-workers mover"
    elif (workers := max((queue.consumers for queue in found.queues), default=0)) > found.delayed.movers:
        lines[0] += f"; there are {workers} worker processes: look at their logs for 'mover failed'"
    shown = {queue.queue for queue in found.queues}
    elsewhere = {queue: count for queue, count in found.dead_letters.items() if queue not in shown}
    if elsewhere:
        named = ", ".join(f"{count} of {queue or 'no queue'}" for queue, count in sorted(elsewhere.items()))
        lines.append(f"dead letters of queues that are not declared here: {named}")
    return Group(_status_table(found), Text(visible("\n" + "\n".join(lines))))


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
        if found and found.config is None:
            shown += " (its settings are hidden: no right DescribeConfigs)"
        table.add_row(
            topic.spec.name,
            str(found.partitions) if found else "",
            str(found.replication_factor) if found else "",
            config.get("cleanup.policy", ""),
            _retention(config.get("retention.ms", "")),
            shown,
        )
    return table


def _retention(milliseconds: str) -> str:
    if milliseconds == "-1":
        return "never expires"
    return length_of_time(int(milliseconds) / 1000) if milliseconds.isdecimal() else milliseconds


def _status_table(found: _Status) -> Table:
    table = Table(box=None)
    for name in (
        "queue",
        "partitions",
        "consumers",
        "waiting",
        "running",
        "dead letters",
        "oldest",
        "not trimmed",
    ):
        table.add_column(name, justify="left" if name in {"queue", "oldest"} else "right")
    for queue in found.queues:
        table.add_row(
            queue.queue,
            str(queue.partitions) if queue.partitions else "no topic",
            str(queue.consumers),
            str(queue.waiting),
            str(queue.running),
            str(found.dead_letters[queue.queue]),
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


def _print_json(found: _Status) -> None:
    shown = {
        "queues": [
            asdict(queue) | {"dead_letters": found.dead_letters[queue.queue]} for queue in found.queues
        ],
        "delayed": asdict(found.delayed),
        "dead_letters": dict(found.dead_letters),
    }
    print(json.dumps(shown), flush=True)  # noqa: T201
