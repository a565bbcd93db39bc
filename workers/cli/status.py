"""`todo-workers status`: shows for each queue what waits, what runs and who runs it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..application import STATUS_GROUP, additions, load_broker
from ..broker.kafka_broker import KafkaBroker
from ..dead_letters.reader import Counts
from ..display.progress import progress
from ..display.times import length_of_time
from ..errors import LogUnreadable
from ..operations.first_records import Unreadable
from ..operations.queue_status import DelayedStatus, QueueStatus, StatusReader
from .controls.status_lines import Found, Looks, now_ms
from .terminal import console, visible

_WATCH_INTERVAL_S = 2.0
#: Looks at another part of the application: a line about it, and its JSON values.
Addition = Callable[[], tuple[str, Mapping[str, object]]]
#: The pause before dead letters are counted again, as a multiple of the time that the last count took.
_COUNT_SHARE = 10


def show(app: str | None, *, watch: bool, as_json: bool) -> None:
    """Show the queues once, or until Ctrl-C."""
    broker = load_broker(app)
    with (
        StatusReader(broker.cluster, broker.topics, broker.delay_tiers, broker.topics_of) as reader,
        Looks(broker) as controls,
    ):
        look = _Look(broker, reader, controls, {} if app else additions(STATUS_GROUP))
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
    """Reads the whole status again and again."""

    def __init__(
        self, broker: KafkaBroker, reader: StatusReader, controls: Looks, others: Mapping[str, Addition]
    ) -> None:
        self._controls = controls
        self._others = others
        self._queues = sorted(broker.queues)
        self._reader = reader
        self._counts = Counts(broker.cluster, broker.topics.dead_letters)
        self._dead_letters: Counter[str] | None = Counter()
        #: Why they cannot be counted.
        self._uncounted: str | None = None
        self._count_at = 0.0

    def read(self) -> _Status:
        """Raises KafkaUnreachable or NotAuthorized."""
        others = {name: look() for name, look in self._others.items()}
        return _Status(
            self._reader.read(self._queues),
            self._reader.read_delayed(),
            self._reader.unreadable_delays(),
            self._read_dead_letters(),
            self._uncounted,
            self._controls.read(),
            others,
        )

    def _read_dead_letters(self) -> Counter[str] | None:
        started = time.monotonic()
        if started >= self._count_at:
            self._uncounted = None
            try:
                with progress("counting dead letters") as advance:
                    self._dead_letters = self._counts.count(advance)
            except LogUnreadable as exc:  # the rest of the status shows what it does to the queues
                self._dead_letters, self._uncounted = None, str(exc)
            # If there are very many, counting them must not keep the cluster busy.
            self._count_at = time.monotonic() + _COUNT_SHARE * (time.monotonic() - started)
        return self._dead_letters


class _Status(NamedTuple):
    """``dead_letters`` is None if they cannot be counted; ``uncounted`` then says why."""

    queues: Sequence[QueueStatus]
    delayed: DelayedStatus
    unreadable_delays: Sequence[Unreadable]
    dead_letters: Counter[str] | None
    uncounted: str | None
    controls: Found
    others: Mapping[str, tuple[str, Mapping[str, object]]]


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
    lines += [
        f"queue {queue.queue}: {queue.held_up} of what waits is held up by an open transaction of its "
        "writer, until that ends or is timed out"
        for queue in found.queues
        if queue.held_up
    ]
    lines += [f"queue {queue.queue}: {place}" for queue in found.queues for place in queue.unreadable]
    lines += [f"delayed: {place}" for place in found.unreadable_delays]
    if found.uncounted is not None:
        lines.append(f"dead letters: {found.uncounted}")
    lines += [f"queue {queue.queue}: {record}" for queue in found.queues for record in queue.expiring]
    shown = {queue.queue for queue in found.queues}
    counted = found.dead_letters or Counter()
    elsewhere = {queue: count for queue, count in counted.items() if queue not in shown}
    if elsewhere:
        named = ", ".join(f"{count} of {queue or 'no queue'}" for queue, count in sorted(elsewhere.items()))
        lines.append(f"dead letters of queues that are not declared here: {named}")
    lines += found.controls.lines(now_ms())
    lines += [f"{name}: {line}" for name, (line, _) in found.others.items()]
    return Group(_status_table(found), Text(visible("\n" + "\n".join(lines))))


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
            "?" if found.dead_letters is None else str(found.dead_letters[queue.queue]),
            _oldest(queue),
            str(queue.untrimmed),
        )
    return table


def _oldest(queue: QueueStatus) -> str:
    job = queue.oldest
    if job is None:
        return ""
    state = "running" if job.in_hand else "waiting"
    # A record that others wrote does not say which job it is.
    name = f"{job.actor} {job.message_id}" if job.actor else f"record of {job.topic}"
    age = "" if job.age_s is None else f"{length_of_time(job.age_s)} "
    return f"{age}{state}: {visible(name)} ({job.partition}/{job.offset})"


def _print_json(found: _Status) -> None:
    counted = found.dead_letters
    shown = {
        "queues": [
            asdict(queue) | {"dead_letters": None if counted is None else counted[queue.queue]}
            for queue in found.queues
        ],
        "delayed": asdict(found.delayed) | {"unreadable": [asdict(one) for one in found.unreadable_delays]},
        "dead_letters": None if counted is None else dict(counted),
        **found.controls.as_json(now_ms()),
        **{name: values for name, (_, values) in found.others.items()},
    }
    print(json.dumps(shown), flush=True)
