"""Puts events into the event log, and watches their mails and audit rows arrive.

The records are made before the clock runs and one thread hands them to the producer: the cost of the sender
is a small part of the worker's.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from tasks import broker
from tasks.app import database, event_log
from tasks.audit.verify import verify
from workers.partitions.lag import LagReader

from ...errors import NotMeasured
from ..worker_processes import WorkerProcesses
from .arrivals import Mails, Rows
from .events import EVENTS_OF_A_KIND, Planned, planned

#: If nothing has come for so long, nothing more is expected.
_STALLED_S = 20.0
#: The first events, of all kinds: what is loaded or compiled at its first use is so then.
_WARM_UP, _WARM_UP_PER_S = 3 * EVENTS_OF_A_KIND, 30.0
#: How often arrivals are counted.
_LOOK_EVERY_S = 0.1

#: Processor seconds that a part has used so far, by the part's name.
CpuClocks = Mapping[str, Callable[[], float]]


def prepare() -> None:
    """Make the topics and the database's tables."""
    broker.prepare()
    database().upgrade()


def at_rate(per_s: float, seconds: int, folder: Path, clocks: CpuClocks) -> dict[str, float]:
    """Send events at fixed times, wait for all that comes of them, and return times in ms and counts."""
    clocks = {**clocks, "sender": time.process_time}
    every = planned(_WARM_UP + round(per_s * seconds))
    warm_up, events = every[:_WARM_UP], every[_WARM_UP:]
    mails, rows = Mails(folder / "mails"), Rows(os.environ["DATABASE_URL"])
    with rows:
        _send_at(warm_up, _WARM_UP_PER_S)
        _wait_for(mails, rows, len(warm_up))
        before_s = _read(clocks)
        sent = _send_at(events, per_s)
        _wait_for(mails, rows, len(every))
        cpu_ms = _cpu_ms(clocks, before_s, len(events))
        _wait_for_queues()
    confirmed_s = [confirmed - at for at, confirmed in sent]
    due_at = {event.event_id: at for event, (at, _) in zip(events, sent, strict=True)}
    mail_due_at = {event.message_id: due_at[event.event_id] for event in events}
    mail_s = _delays(mail_due_at, mails.arrivals())
    row_s = _delays(due_at, rows.arrivals())
    return {
        "per_minute": 60 * len(events) / (sent[-1][1] - sent[0][0] + 1 / per_s),
        **_quantiles("publish", confirmed_s),
        **_quantiles("mail", mail_s),
        **_quantiles("row", row_s),
        **cpu_ms,
        **_checked(every, mails, rows),
    }


def fill(count: int) -> list[Planned]:
    """Write so many events into the log, all at once; returns what is expected of each."""
    events = planned(count)
    futures = [broker.producer.send(event_log, event.record) for event in events]
    for future in futures:
        future.get(30)
    return events


def drain(
    events: Sequence[Planned],
    warm_up: int,
    folder: Path,
    clocks: CpuClocks,
    starting: AbstractContextManager[WorkerProcesses],
) -> dict[str, float]:
    """Start workers on what :func:`fill` wrote; returns their rate and cost after ``warm_up`` mails."""
    mails, rows = Mails(folder / "mails"), Rows(os.environ["DATABASE_URL"])
    with rows, starting as workers:
        _wait_for(mails, rows, warm_up)
        clocks = {**clocks, "worker": workers.cpu_s}
        first, before_s, began = mails.count, _read(clocks), time.monotonic()
        _wait_for(mails, rows, len(events))
        took_s = time.monotonic() - began
        cpu_ms = _cpu_ms(clocks, before_s, len(events) - first)
        _wait_for_queues()
    return {
        "per_minute": 60 * (len(events) - first) / took_s,
        **cpu_ms,
        **_checked(events, mails, rows),
    }


def _read(clocks: CpuClocks) -> dict[str, float]:
    return {name: clock() for name, clock in clocks.items()}


def _cpu_ms(clocks: CpuClocks, before_s: Mapping[str, float], events: int) -> dict[str, float]:
    return {f"{name}_cpu_ms": 1000 * (now - before_s[name]) / events for name, now in _read(clocks).items()}


def _send_at(events: Sequence[Planned], per_s: float) -> list[tuple[float, float]]:
    """When each event was due to be sent, however late others were, and when Kafka confirmed it."""
    began = time.monotonic() + 0.1
    confirmed = [0.0] * len(events)
    futures = []

    def note(number: int, _: object) -> None:
        confirmed[number] = time.monotonic()

    for number, event in enumerate(events):
        time.sleep(max(0.0, began + number / per_s - time.monotonic()))
        future = broker.producer.send(event_log, event.record)
        future.add_callback(partial(note, number))
        futures.append(future)
    for future in futures:
        future.get(30)
    return [(began + number / per_s, at) for number, at in enumerate(confirmed)]


def _wait_for(mails: Mails, rows: Rows, count: int) -> None:
    """Wait until so many of both are there, or no more come."""
    seen, since = (-1, -1), time.monotonic()
    while min(now := (mails.count, rows.count)) < count:
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > _STALLED_S:
            return
        time.sleep(_LOOK_EVERY_S)


def _wait_for_queues() -> None:
    """Wait until no job is left that could repeat something."""
    deadline = time.monotonic() + _STALLED_S
    for queue in broker.get_declared_queues():
        with LagReader(broker.cluster, broker.topics_of(queue), broker.topics.group(queue)) as reader:
            while reader.not_done() and time.monotonic() < deadline:
                time.sleep(_LOOK_EVERY_S)


def _checked(events: Sequence[Planned], mails: Mails, rows: Rows) -> dict[str, float]:
    """Count what is lost and repeated. Raises NotMeasured if the audit trail is not whole."""
    verdict = verify(database())
    if not verdict.is_whole:
        raise NotMeasured(f"the audit trail is broken: {'; '.join(verdict.told)}")
    arrived = [name for name, _ in mails.arrivals()]
    recorded = {name for name, _ in rows.arrivals()}
    expected = {event.message_id for event in events}
    mails_lost = len(expected - set(arrived))
    rows_lost = len({event.event_id for event in events} - recorded)
    return {
        "lost": mails_lost + rows_lost,
        "repeated": len(arrived) - len(expected & set(arrived)),
    }


def _delays(due_at: Mapping[str, float], arrivals: Sequence[tuple[str, float]]) -> list[float]:
    """Seconds from each time to the first arrival of its name, without those that never arrived."""
    first: dict[str, float] = {}
    for name, at in arrivals:
        first.setdefault(name, at)
    return [first[name] - at for name, at in due_at.items() if name in first]


def _quantiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    return {
        f"{name}_ms": statistics.median(seconds) * 1000,
        f"{name}_p99_ms": statistics.quantiles(seconds, n=100)[98] * 1000,
        f"{name}_worst_ms": max(seconds) * 1000,
    }
