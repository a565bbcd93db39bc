"""A todo and its owner, as events tell of them."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    model_validator,
)

from ..schedules.occurrences import check_start
from ..schedules.rules import parse_rule
from .fields import (
    Email,
    Identifier,
    Json,
    Language,
    Name,
    Recurrence,
    Reminders,
    Text,
    Time,
    TimeZone,
    Title,
)

#: Errors come into logs, and what was given may be the name or the address of a person.
_DISCREET = ConfigDict(hide_input_in_errors=True)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    __pydantic_extra__: dict[str, Json]


class Owner(_Model):
    """The person whose todo it is, and who is notified."""

    name: Name
    email: Email
    time_zone: TimeZone = "UTC"
    language: Language = "en"


class Todo(_Model):
    """A todo as it is after the event; for a deleted one, as it was last.

    ``reminders`` says when to remind of it: offsets before ``due``, such as ``-1d``, ``-1h`` or ``0m``.
    ``recurrence`` is an RRULE of RFC 5545, such as ``FREQ=WEEKLY;BYDAY=MO``; it counts from ``due``, on the
    clock of the owner's zone, and needs it.
    """

    id: Identifier
    title: Title
    description: Text = ""
    due: Time | None = None
    reminders: Reminders = ()
    recurrence: Recurrence | None = None
    owner: Owner

    @model_validator(mode="after")
    def _recurs_from_its_due_time(self) -> Self:
        if self.recurrence is not None:
            if self.due is None:
                raise ValueError("recurrence: needs a due time to count from; set due")
            try:
                _check_recurrence(self.recurrence, self.due, self.owner.time_zone)
            except ValueError as exc:
                raise ValueError(f"recurrence: {exc}") from exc
        return self


@lru_cache(maxsize=1_024)
def _check_recurrence(rule: str, due: datetime, zone: str) -> None:
    check_start(parse_rule(rule), due, ZoneInfo(zone))
