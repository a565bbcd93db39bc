"""The route that tells what became of an event."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from tasks.audit.reading import Row, todo_in
from tasks.stories.story import RemindedOf, Story

from ..access import Access, Identity
from .asking import PUBLISHER, Asking, sees_everything
from .history import is_owner
from .problems import ProblemError, described
from .reminders import ReminderSeen
from .services import Services

_STEPS: list[Any] = [
    {"at": "2026-06-01T12:00:00Z", "what": "happened"},
    {"at": "2026-06-01T12:00:00.004Z", "what": "written to the event log", "after_ms": 4},
    {"at": "2026-06-01T12:00:00.042Z", "what": "recorded in the audit trail", "after_ms": 38},
    {"at": "2026-06-01T12:00:00.044Z", "what": "mail todo_created begun", "after_ms": 2},
    {"at": "2026-06-01T12:00:00.131Z", "what": "mail todo_created postponed", "after_ms": 87},
]


# Without null: FastAPI leaves that out of examples.
_EXAMPLE: dict[str, Any] = {
    "id": "6f9c0a1e-0d3b-4b57-9d7a-3d5e3c1f2a10",
    "event": {
        "sequence": 1042,
        "type": "todo.created",
        "todo_id": "todo-1",
        "actor": "user:ana",
        "time": "2026-06-01T12:00:00Z",
        "recorded_at": "2026-06-01T12:00:00.042Z",
    },
    "steps": _STEPS,
    "mail": {
        "notice_id": "b1d0a3f2-7a55-5c0e-8f0b-2f6a4b9c7d13",
        "kind": "todo_created",
        "state": "postponed",
        "attempts": 2,
        "until": "2026-06-01T14:00:00Z",
        "error": "MailNotSent: the server closed the connection",
        "begun_at": "2026-06-01T12:00:00.044Z",
        "changed_at": "2026-06-01T12:00:00.131Z",
    },
    "reminders": [],
    "waiting": [],
    "given_up": [],
    "jobs_known": True,
}


class _Seen(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class StepSeen(_Seen):
    """Something that happened, and how many ms after the step before; clocks of several machines.

    ``after_ms`` is null for the first.
    """

    at: datetime
    what: str
    after_ms: int | None = None


class EventSeen(_Seen):
    """The audit row of the event; `GET /todos/{todo}/history` has what changed."""

    sequence: int
    type: str
    todo_id: str | None
    actor: str | None
    time: datetime
    recorded_at: datetime


class MailSeen(_Seen):
    """A mail: sending, sent, failed, postponed ``until`` then, or opted-out.

    Operators see the error, and the owner the ``notice_id``.
    """

    notice_id: str | None
    kind: str
    state: str
    attempts: int
    until: datetime | None
    error: str | None
    begun_at: datetime
    changed_at: datetime


class FiringSeen(_Seen):
    """An alarm of a reminder since the event."""

    occurrence: datetime
    fired_at: datetime
    outcome: str


class RemindedSeen(_Seen):
    """A reminder of the event's todo as it is now, its alarms since the event, and their mails."""

    reminder: ReminderSeen
    firings: list[FiringSeen]
    mails: list[MailSeen]


class WaitingSeen(_Seen):
    """A job that waits until ``due``: to be tried again if ``attempts`` is above 1."""

    job_id: str
    actor: str | None
    queue: str
    attempts: int
    due: datetime


class GivenUpSeen(_Seen):
    """A job that is a dead letter. Operators see the error."""

    job_id: str
    actor: str | None
    queue: str | None
    reason: str
    error: str | None
    attempts: int
    at: datetime


class StorySeen(BaseModel):
    """What an event caused. ``event`` is null while it is not recorded.

    ``jobs_known`` is false if Kafka could not be read to the end in time, or if too many read it now: more
    jobs may wait, or be given up.
    """

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    id: str
    event: EventSeen | None
    steps: list[StepSeen]
    mail: MailSeen | None
    reminders: list[RemindedSeen]
    waiting: list[WaitingSeen]
    given_up: list[GivenUpSeen]
    jobs_known: bool


def add_story(router: APIRouter, services: Services, access: Access) -> None:
    """Add the route `GET /events/{event}`."""
    asking = Asking(access)

    @router.get("/events/{event}", tags=["events"], responses=described(401, 404, 422, 503))
    def story(event: UUID, who: Identity = Depends(asking)) -> StorySeen:
        """Tell what an event caused, and when: audit row, mail, reminders, jobs that wait or were given up.

        You see the events of todos that you own, and reminders that are yours now. Publishers see the events
        of everybody, also while they are not recorded; the roles viewer, operator and admin see the
        reminders of everybody too.
        """
        stories = services.stories()
        row = stories.row_of(event)
        if not _may_see(row, who):
            raise _unknown(event)
        told = stories.tell(event, row, reminders_of=None if sees_everything(who) else who.user)
        if told.is_empty:
            raise _unknown(event)
        return _seen(told, _hidden_from(who, row))


def _may_see(row: Row | None, who: Identity) -> bool:
    if sees_everything(who) or PUBLISHER in who.roles:
        return True
    return row is not None and is_owner(todo_in(row), who)


def _hidden_from(who: Identity, row: Row | None) -> frozenset[str]:
    """The fields of mails and jobs that somebody does not see."""
    if sees_everything(who):
        return frozenset()
    if row is not None and is_owner(todo_in(row), who):
        return frozenset({"error"})
    return frozenset({"error", "notice_id"})


def _unknown(event: UUID) -> ProblemError:
    return ProblemError(404, f"no event {event} is known, or not yet, or it is not yours")


def _seen(told: Story, hidden: frozenset[str]) -> StorySeen:
    mail = None if told.mail is None else _mails([told.mail], hidden)[0]
    return StorySeen(
        id=told.event_id,
        event=None if told.row is None else EventSeen.model_validate(dict(told.row)),
        steps=[StepSeen.model_validate(step) for step in told.steps()],
        mail=mail,
        reminders=[_reminded(one, hidden) for one in told.reminders],
        waiting=[WaitingSeen.model_validate(job) for job in told.jobs.waiting],
        given_up=[_without(GivenUpSeen.model_validate(job), hidden) for job in told.jobs.given_up],
        jobs_known=told.jobs.is_complete,
    )


def _reminded(one: RemindedOf, hidden: frozenset[str]) -> RemindedSeen:
    return RemindedSeen(
        reminder=ReminderSeen.model_validate(one.reminder),
        firings=[FiringSeen.model_validate(firing) for firing in one.firings],
        mails=_mails(one.mails, hidden),
    )


def _mails(mails: Iterable[Any], hidden: frozenset[str]) -> list[MailSeen]:
    return [_without(MailSeen.model_validate(mail), hidden) for mail in mails]


def _without(seen: Any, hidden: frozenset[str]) -> Any:
    return seen.model_copy(update=dict.fromkeys(hidden & type(seen).model_fields.keys()))
