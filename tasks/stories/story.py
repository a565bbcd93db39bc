"""The story of an event as values: what it caused, and the times between. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..audit.entries import LOG_POSITION
from ..audit.reading import Row
from ..reminders.reminder import Firing, Reminder


@dataclass(frozen=True)
class Mail:
    """What became of a mail: its delivery's row. ``until`` is when a postponed one goes out."""

    notice_id: str
    kind: str
    state: str
    attempts: int
    until: datetime | None
    error: str | None
    begun_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class Waiting:
    """A job that waits until ``due``: after a failure if it is not the first attempt, else for its time."""

    job_id: str
    actor: str | None
    queue: str
    attempts: int
    due: datetime


@dataclass(frozen=True)
class GivenUp:
    """A job that is a dead letter."""

    job_id: str
    actor: str | None
    queue: str | None
    reason: str
    error: str
    attempts: int
    at: datetime


@dataclass(frozen=True)
class Jobs:
    """The jobs that are not done. ``is_complete``: Kafka was read to the end, so there are no others."""

    waiting: Sequence[Waiting] = ()
    given_up: Sequence[GivenUp] = ()
    is_complete: bool = True


@dataclass(frozen=True)
class RemindedOf:
    """A reminder of the event's todo as it is now, its alarms since the event, and their mails."""

    reminder: Reminder
    firings: Sequence[Firing]
    mails: Sequence[Mail]


@dataclass(frozen=True)
class Step:
    """Something that happened; ``after_ms`` since the step before, None for the first."""

    at: datetime
    what: str
    after_ms: int | None


@dataclass(frozen=True)
class Story:
    """What an event caused. ``row`` is its audit row, None if it is not recorded, or not yet."""

    event_id: str
    row: Row | None
    mail: Mail | None
    reminders: Sequence[RemindedOf]
    jobs: Jobs

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of the event."""
        return not (self.row or self.mail or self.jobs.waiting or self.jobs.given_up)

    def steps(self) -> list[Step]:
        """What happened, in the order of time: the times of several machines' clocks."""
        found = sorted(_moments(self), key=lambda moment: moment[0])
        ends: list[datetime | None] = [None, *(at for at, _ in found)]
        return [
            Step(at, what, None if before is None else round((at - before).total_seconds() * 1000))
            for (at, what), before in zip(found, ends, strict=False)
        ]


def _moments(story: Story) -> Iterable[tuple[datetime, str]]:
    if story.row is not None:
        yield story.row["time"], "happened"
        written_ms = _written_ms(story.row["details"])
        if written_ms is not None:
            yield datetime.fromtimestamp(written_ms / 1000, UTC), "written to the event log"
        yield story.row["recorded_at"], "recorded in the audit trail"
    mails = [mail for reminded in story.reminders for mail in reminded.mails]
    for mail in [*([story.mail] if story.mail else []), *mails]:
        yield mail.begun_at, f"mail {mail.kind} begun"
        if mail.state != "sending":
            yield mail.changed_at, f"mail {mail.kind} {mail.state}"
    for reminded in story.reminders:
        for firing in reminded.firings:
            yield firing.fired_at, f"reminder {reminded.reminder.before_due} fired {firing.outcome}"
    for job in story.jobs.given_up:
        yield job.at, f"job {job.actor or job.job_id} given up: {job.reason}"


def _written_ms(details: Any) -> int | None:
    place = details.get(LOG_POSITION) if isinstance(details, Mapping) else None
    written = place.get("written_ms") if isinstance(place, Mapping) else None
    return written if isinstance(written, int) and 0 < written < 253_370_764_800_000 else None
