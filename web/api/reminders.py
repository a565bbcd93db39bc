"""The routes for the reminders of the user who asks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from tasks.events.fields import Time
from tasks.reminders.by_hand import RemindersByHand, alarm_left
from tasks.reminders.outcomes import AlarmToSet, ReminderState
from tasks.reminders.reminder import Reminder
from workers.cli.times import parse_length

from ..access import Access, Identity
from .asking import Asking
from .problems import described
from .services import Services

# Without null: FastAPI leaves that out of examples.
_EXAMPLE: dict[str, Any] = {
    "id": "0f2a7c1e-3c55-5b1e-9d53-0c1a3f6d2b11",
    "todo_id": "todo-1",
    "title": "Book flights",
    "before_due": "-1h",
    "recurrence": "FREQ=WEEKLY;BYDAY=FR",
    "state": "waiting",
    "occurrence": "2026-06-05T15:00:00Z",
    "alarm_at": "2026-06-05T14:00:00Z",
    "is_moved": False,
    "has_alarm": True,
    "fired_occurrence": "2026-05-29T15:00:00Z",
    "fired_at": "2026-05-29T14:00:00.120Z",
    "time_zone": "Europe/Berlin",
}


class ReminderSeen(BaseModel):
    """A reminder, with times in UTC; ``time_zone`` is the owner's.

    It reminds of the due time ``occurrence`` at ``alarm_at``; both are null when it fires no more.
    ``has_alarm`` is false until the workers know of that time, which they look for by themselves.
    """

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _EXAMPLE})

    id: UUID
    todo_id: str
    title: str
    before_due: str
    recurrence: str | None
    state: ReminderState
    occurrence: datetime | None
    alarm_at: datetime | None
    is_moved: bool
    has_alarm: bool
    fired_occurrence: datetime | None
    fired_at: datetime | None
    time_zone: str


class RemindersSeen(BaseModel):
    """The reminders that fire first, and how many there are."""

    model_config = ConfigDict(json_schema_extra={"example": {"reminders": [_EXAMPLE], "total": 1}})

    reminders: list[ReminderSeen]
    total: int


class Snooze(BaseModel):
    """How long to put a reminder off, from now: ``15m``, ``2h`` or ``1d``."""

    length: str = Field(default="1h", max_length=40, examples=["15m"])


class Reschedule(BaseModel):
    """When a reminder is to fire instead, with the zone."""

    at: Time = Field(examples=["2026-06-05T09:00:00+02:00"])


def add_reminders(router: APIRouter, services: Services, access: Access) -> None:
    """Add the routes below `/reminders`."""
    shared: dict[str, Any] = {"tags": ["reminders"], "responses": described(401, 404, 409, 422, 503)}
    with_fields = shared | {"responses": shared["responses"] | described(413)}
    asking = Asking(access)

    def by_hand(who: Identity) -> RemindersByHand:
        return RemindersByHand(services.database(), owner=who.user)

    @router.get("/reminders", tags=["reminders"], responses=described(401, 422, 503))
    def list_reminders(
        who: Identity = Depends(asking),
        todo: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
        state: ReminderState | None = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> RemindersSeen:
        """Return your reminders that fire first."""
        found, total = by_hand(who).find(todo_id=todo, state=state, limit=limit)
        return RemindersSeen(reminders=[_seen(one) for one in found], total=total)

    @router.post("/reminders/{reminder}/snooze", **with_fields)
    def snooze(reminder: UUID, wanted: Snooze, who: Identity = Depends(asking)) -> ReminderSeen:
        """Put a reminder off; one that has fired fires again."""
        now = datetime.now(UTC)
        mine = by_hand(who)
        _, alarm = mine.snooze(str(reminder), parse_length(wanted.length), now)
        return _with_alarm(mine, alarm)

    @router.post("/reminders/{reminder}/reschedule", **with_fields)
    def reschedule(reminder: UUID, wanted: Reschedule, who: Identity = Depends(asking)) -> ReminderSeen:
        """Let a reminder fire at another time, once; a series then goes on as before."""
        mine = by_hand(who)
        _, alarm = mine.reschedule(str(reminder), wanted.at, datetime.now(UTC))
        return _with_alarm(mine, alarm)

    @router.post("/reminders/{reminder}/cancel", **shared)
    def cancel(reminder: UUID, who: Identity = Depends(asking)) -> ReminderSeen:
        """Call a reminder off, with all that would follow. A change of the due time sets it again."""
        return _seen(by_hand(who).cancel(str(reminder)))

    def _with_alarm(mine: RemindersByHand, alarm: AlarmToSet) -> ReminderSeen:
        alarm_left(services.set_alarm, alarm)
        return _seen(mine.one(alarm.reminder_id))


def _seen(reminder: Reminder) -> ReminderSeen:
    return ReminderSeen.model_validate(reminder)
