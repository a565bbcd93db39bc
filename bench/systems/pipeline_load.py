"""Publishes events at a fixed rate, whatever becomes of them, and sees their mails and audit rows arrive."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks import Change, Event, Owner, Todo, TodoCompleted, TodoCreated, TodoUpdated, broker, publish
from tasks.actors.event_jobs import job_id
from tasks.actors.notifications import send_notification
from tasks.app import database
from tasks.audit.verify import verify
from workers.partitions.lag import LagReader

from ..errors import NotMeasured
from .pipeline_arrivals import Mails, Rows

#: Threads that publish: enough that no event waits for one.
_PUBLISHERS = 16
#: If nothing has come for so long, nothing more is waited for.
_STALLED_S = 20.0
#: Todos in work at the same time: each is created, changed and completed, so many events apart.
_AT_ONCE = 100
#: Events to begin with, a tenth of a second apart, so that modules which load at first use are loaded.
_WARM_UP = 50

_OWNERS = [
    Owner(
        name=f"Ana {number} Petrović",
        email=f"ana-{number}@example.com",
        time_zone=("Europe/Berlin", "America/New_York", "Asia/Kolkata")[number % 3],
        language=("en", "de")[number % 2],
    )
    for number in range(500)
]


def prepare() -> None:
    """Make the topics and the database's tables."""
    broker.prepare()
    database().upgrade()


def at_rate(per_s: float, seconds: int, folder: Path) -> dict[str, float]:
    """Publish for some seconds, wait for all mails and rows, and return times in ms and counts."""
    made = _events()
    mails, rows = Mails(folder / "mails"), Rows(folder / "todo.db")
    warm_up = list(itertools.islice(made, _WARM_UP))
    events = list(itertools.islice(made, round(per_s * seconds)))
    with rows:
        _publish_all(warm_up, 10.0)
        published = _publish_all(events, per_s)
        _wait_for(mails, rows, len(warm_up) + len(events))
        _wait_for_queues()
    verdict = verify(database())
    if not verdict.is_whole:
        raise NotMeasured(f"the audit trail is broken: {'; '.join(verdict.told)}")
    due_at = {str(event.event_id): at for event, (at, _) in zip(events, published, strict=True)}
    mail_due_at = {_message_id(event): due_at[str(event.event_id)] for event in events}
    mail_s, mails_lost = _delays(mail_due_at, mails.arrivals())
    row_s, rows_lost = _delays(due_at, rows.arrivals())
    every = {*mail_due_at, *(_message_id(event) for event in warm_up)}
    return {
        "per_minute": 60 * len(events) / (published[-1][1] - published[0][0] + 1 / per_s),
        **_quantiles("publish", [done - at for at, done in published]),
        **_quantiles("mail", mail_s),
        **_quantiles("row", row_s),
        "lost": mails_lost + rows_lost,
        "repeated": mails.count - len({name for name, _ in mails.arrivals()} & every),
    }


def _events() -> Iterator[Event]:
    """Todos that are created, changed and completed; every tenth has a reminder in some days."""
    due = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=3)
    for first in itertools.count(0, _AT_ONCE):
        todos = [_todo(number, due) for number in range(first, first + _AT_ONCE)]
        actors = [f"user:{todo.owner.email.partition('@')[0]}" for todo in todos]
        later = due + timedelta(days=1)
        change = Change(before=due.isoformat(), after=later.isoformat())
        moved = [todo.model_copy(update={"due": later}) for todo in todos]
        yield from (TodoCreated(actor=actor, todo=todo) for actor, todo in zip(actors, todos, strict=True))
        for actor, todo in zip(actors, moved, strict=True):
            yield TodoUpdated(actor=actor, todo=todo, changes={"due": change})
        yield from (TodoCompleted(actor=actor, todo=todo) for actor, todo in zip(actors, moved, strict=True))


def _todo(number: int, due: datetime) -> Todo:
    return Todo(
        id=f"todo-{number}",
        title=f"Book flights to Lisbon, number {number}",
        description="Aisle seats, one piece of luggage each.\nAsk Tom about the hotel before.",
        due=due,
        reminders=("-1h",) if number % 10 == 0 else (),
        owner=_OWNERS[number % len(_OWNERS)],
    )


def _message_id(event: Event) -> str:
    return f"{job_id(event.event_id, send_notification)}@todo-workers"


def _publish_all(events: Sequence[Event], per_s: float) -> list[tuple[float, float]]:
    """Publish each event at its planned time, however late the one before was; returns both times of each."""
    began = time.monotonic() + 0.1
    times = [(began + number / per_s, 0.0) for number in range(len(events))]
    numbers = itertools.count()

    def work() -> None:
        while (number := next(numbers)) < len(events):
            at, _ = times[number]
            time.sleep(max(0.0, at - time.monotonic()))
            publish(events[number])
            times[number] = at, time.monotonic()

    threads = [threading.Thread(target=work) for _ in range(_PUBLISHERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _wait_for(mails: Mails, rows: Rows, count: int) -> None:
    """Wait until so many of both have come, or no more do."""
    seen, since = (-1, -1), time.monotonic()
    while (now := (mails.count, rows.count)) < (count, count) or min(now) < count:
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > _STALLED_S:
            return
        time.sleep(0.25)


def _wait_for_queues() -> None:
    """Wait until no job is left that could still repeat an effect."""
    deadline = time.monotonic() + _STALLED_S
    for queue in broker.get_declared_queues():
        with LagReader(broker.cluster, broker.topics_of(queue), broker.topics.group(queue)) as reader:
            while reader.not_done() and time.monotonic() < deadline:
                time.sleep(0.1)


def _delays(due_at: Mapping[str, float], arrivals: Sequence[tuple[str, float]]) -> tuple[list[float], int]:
    """Seconds from each planned time to the first arrival, and how many never arrived."""
    first: dict[str, float] = {}
    for name, at in arrivals:
        first.setdefault(name, at)
    found = [first[name] - at for name, at in due_at.items() if name in first]
    return found, len(due_at) - len(found)


def _quantiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    return {
        f"{name}_ms": statistics.median(seconds) * 1000,
        f"{name}_p99_ms": statistics.quantiles(seconds, n=100)[98] * 1000,
        f"{name}_worst_ms": max(seconds) * 1000,
    }
