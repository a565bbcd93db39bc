"""Makes the events of the pipeline's benchmark before the clock runs, and what must follow from each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tasks import Change, Event, Owner, Todo, TodoCompleted, TodoCreated, TodoUpdated
from tasks.actors.event_jobs import job_id
from tasks.actors.notifications import send_notification
from tasks.events.cloud_events import record_of
from workers.records.envelope import Record

#: Todos that are worked on at the same time: each is created, changed and completed, so many events apart.
EVENTS_OF_A_KIND = 100

_OWNERS = [
    Owner(
        name=f"Ana {number} Petrović",
        email=f"ana-{number}@example.com",
        time_zone=("Europe/Berlin", "America/New_York", "Asia/Kolkata")[number % 3],
        language=("en", "de")[number % 2],
    )
    for number in range(500)
]


@dataclass(frozen=True, slots=True)
class Planned:
    """A record that is ready to be produced, the id of its event, and the Message-ID of its mail."""

    record: Record
    event_id: str
    message_id: str


def planned(count: int) -> list[Planned]:
    """Make so many events and their records."""
    return list(itertools.islice(endless(), count))


def endless(due_in: timedelta = timedelta(days=3)) -> Iterator[Planned]:
    """Make events and their records, each when it is asked for; their todos are due after so long."""
    for event in events(due_in):
        message_id = f"{job_id(event.event_id, send_notification)}@todo-workers"
        yield Planned(record_of(event), str(event.event_id), message_id)


def events(due_in: timedelta = timedelta(days=3)) -> Iterator[Event]:
    """Yield todos that are created, changed and completed; every tenth has a reminder a while before."""
    for first in itertools.count(0, EVENTS_OF_A_KIND):
        due = datetime.now(UTC).replace(second=0, microsecond=0) + due_in
        todos = [_todo(number, due) for number in range(first, first + EVENTS_OF_A_KIND)]
        actors = [f"user:{todo.owner.email.partition('@')[0]}" for todo in todos]
        later = due + due_in / 3
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
        reminders=("-1m",) if number % 10 == 0 else (),
        owner=_OWNERS[number % len(_OWNERS)],
    )
