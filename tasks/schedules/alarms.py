"""When the reminders of a todo fire. Pure: no I/O, no clock; times are aware, and UTC where they are given.

An offset in days is days on the calendar of the owner's zone: a day before Monday 09:00 is Sunday 09:00, also
where the clocks change that night. Hours and minutes are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from .occurrences import occurrences
from .offsets import _DAY_DIFFERENCE, Offset
from .rules import parse_rule

#: How far back alarms that were missed are looked for one by one.
_LOOK_BACK = timedelta(days=400)


@dataclass(frozen=True)
class Plan:
    """All that decides when one reminder fires. ``recurrence`` is an RRULE; None: once."""

    due: datetime
    zone: str
    offset: Offset
    recurrence: str | None = None

    def __str__(self) -> str:
        """Give what two plans have in common only where they are the same."""
        return f"{self.due.astimezone(UTC).isoformat()} {self.zone} {self.offset} {self.recurrence or 'once'}"


@dataclass(frozen=True)
class Alarm:
    """A reminder of one occurrence: ``at`` is when it fires, ``occurrence`` when the todo is due."""

    occurrence: datetime
    at: datetime


@dataclass(frozen=True)
class Due:
    """What a reminder has to do now: remind of ``latest``, then wait for ``following``.

    ``passed`` counts the alarms before ``latest`` that did not fire; one mail stands for all of them.
    """

    latest: Alarm
    passed: int
    following: Alarm | None


def alarms(plan: Plan, after: datetime) -> Iterator[Alarm]:
    """Give the alarms after ``after``, in order.

    Raises:
        InvalidRule: the next occurrence could not be found.
    """
    zone = ZoneInfo(plan.zone)
    for occurrence in _occurrences(plan, zone, after + plan.offset.length - _DAY_DIFFERENCE):
        at = plan.offset.before(occurrence, zone)
        if at > after:
            yield Alarm(occurrence, at)


def next_alarm(plan: Plan, after: datetime) -> Alarm | None:
    """Give the first alarm after ``after``; None where there is none any more."""
    return next(alarms(plan, after), None)


def what_is_due(plan: Plan, alarm: Alarm, now: datetime) -> Due:
    """Say what comes of ``alarm``, which is due at ``now`` or was before.

    ``alarm`` may be at another time than the plan has it: then it was put off.
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
