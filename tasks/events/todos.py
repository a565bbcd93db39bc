"""The models of a todo and its owner, as events carry them."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationInfo,
    model_validator,
)

from ..schedules.occurrences import check_start
from ..schedules.rules import parse_rule
from .fields import (
    Email,
    FieldName,
    Identifier,
    Json,
    LanguageTag,
    Name,
    Part,
    Recurrence,
    Reminders,
    Text,
    Time,
    TimeZone,
    Title,
    Unusable,
)

#: Errors end up in logs, and the input may be the name or the address of a person.
HIDES_INPUT = ConfigDict(hide_input_in_errors=True)


class OpenModel(BaseModel):
    """A frozen model that keeps the fields it does not know: who publishes may be newer than who reads."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    __pydantic_extra__: dict[FieldName, Json]


class Owner(OpenModel):
    """The person who owns a todo and is notified about it."""

    name: Name
    email: Email
    time_zone: TimeZone = "UTC"
    language: LanguageTag = "en"


class Todo(OpenModel):
    """A todo as it is after the event; a deleted one as it was before.

    ``reminders`` are offsets before ``due`` at which to remind of it, such as ``-1d``, ``-1h`` or ``0m``.
    ``recurrence`` is an RRULE of RFC 5545, such as ``FREQ=WEEKLY;BYDAY=MO``; it counts from ``due``, on the
    clock of the owner's zone, and needs a due time.
    """

    id: Identifier
    title: Title
    description: Text = ""
    due: Time | None = None
    reminders: Reminders = ()
    recurrence: Recurrence | None = None
    owner: Owner

    @model_validator(mode="after")
    def _recurs_from_its_due_time(self, info: ValidationInfo) -> Self:
        unusable = info.context if isinstance(info.context, Unusable) else None
        if self.recurrence is None or (unusable and unusable.problems):
            return self
        try:
            _check_recurrence(self.recurrence, self.due, self.owner.time_zone)
        except ValueError as exc:
            if unusable is None:
                raise ValueError(f"recurrence: {exc}") from exc
            unusable.add(Part.SCHEDULE, f"recurrence: {exc}")
        return self


@lru_cache(maxsize=1_024)
def _check_recurrence(rule: str, due: datetime | None, zone: str) -> None:
    if due is None:
        raise ValueError("needs a due time to count from; set due")
    check_start(parse_rule(rule), due, ZoneInfo(zone))
