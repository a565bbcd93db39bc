"""Computes when the reminders of a todo fire. Pure: no I/O, no clock; times are aware, results are in UTC.

An offset in days counts days on the calendar of the owner's zone: a day before Monday 09:00 is Sunday 09:00,
even if the clocks change that night. Hours and minutes are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from .occurrences import occurrences
from .offsets import MAX_DAY_DIFFERENCE, Offset
from .rules import parse_rule

#: How far back missed alarms are counted one by one.
_LOOK_BACK = timedelta(days=400)


@dataclass(frozen=True)
class Plan:
    """Everything that decides when one reminder fires. ``recurrence`` is an RRULE; None: once."""

    due: datetime
    zone: str
    offset: Offset
    recurrence: str | None = None

    def __str__(self) -> str:
        """A text that two plans share only if they are the same."""
        return f"{self.due.astimezone(UTC).isoformat()} {self.zone} {self.offset} {self.recurrence or 'once'}"


@dataclass(frozen=True)
class Alarm:
    """The reminder of one occurrence: it fires at ``at``, the todo is due at ``occurrence``."""

    occurrence: datetime
    at: datetime


@dataclass(frozen=True)
class Due:
    """The work of a reminder whose alarm is due: remind of ``latest``, then wait for ``following``.

    ``passed`` counts the missed alarms before ``latest``; one mail stands for all of them.
    """

    latest: Alarm
    passed: int
    following: Alarm | None


def alarms(plan: Plan, after: datetime) -> Iterator[Alarm]:
    """The alarms after ``after``, in order.

    Raises:
        InvalidRule: the next occurrence could not be found.
    """
    zone = ZoneInfo(plan.zone)
    for occurrence in _occurrences(plan, zone, after + plan.offset.length - MAX_DAY_DIFFERENCE):
        at = plan.offset.before(occurrence, zone)
        if at > after:
            yield Alarm(occurrence, at)


def next_alarm(plan: Plan, after: datetime) -> Alarm | None:
    """The first alarm after ``after``; None if none is left."""
    return next(alarms(plan, after), None)


def what_is_due(plan: Plan, alarm: Alarm, now: datetime) -> Due:
    """The work of ``alarm``, which is due at ``now`` or was due before.

    ``alarm`` may be at another time than the plan has it, if it was set by hand.
    """
    latest, passed = alarm, 0
    planned = plan.offset.before(alarm.occurrence, ZoneInfo(plan.zone))
    for later in alarms(plan, max(planned, now - _LOOK_BACK)):
        if later.at > now:
            return Due(latest, passed, later)
        latest, passed = later, passed + 1
    return Due(latest, passed, None)


def _occurrences(plan: Plan, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    if plan.recurrence is not None:
        yield from occurrences(parse_rule(plan.recurrence), plan.due, zone, after)
    elif plan.due > after:
        yield plan.due
