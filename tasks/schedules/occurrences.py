"""When a recurrence rule (RRULE of RFC 5545) recurs. Pure: no I/O, no clock.

python-dateutil expands a rule, on the wall clock of a zone and without the zone; then each time gets the
offset that the zone has on that day. So 09:00 stays 09:00 when the clocks change. What falls into the hour
that is skipped comes as much later (02:30 is 03:30 then), and what comes twice is meant the first time: both
as RFC 5545 has it.

dateutil goes on searching until the year 9999 where a rule has no occurrence, so it is given an interval that
counts its steps and ends the search.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil import rrule

from .rules import (
    DAILY,
    HOURLY,
    LAST_YEAR,
    MINUTELY,
    MONTHLY,
    PERIODS,
    WEEKLY,
    YEARLY,
    InvalidRule,
    Rule,
    end_of,
)

#: How many steps of a frequency dateutil may take until the next occurrence: over a hundred years where a
#: step is a day or more, and some tenths of a second of work.
_MAX_STEPS = (200, 2_400, 8_000, 50_000, 50_000, 50_000)

#: What none of the parts that choose days says follows from the start.
_DAY_PARTS = frozenset(["byweekno", "byyearday", "bymonthday", "byweekday"])

#: More than any change of a zone's clock: a day was skipped where the date line moved.
_LONGEST_GAP = timedelta(hours=25)


class _SearchedTooLong(Exception):
    """dateutil took more steps than a rule that makes sense needs."""


def check_start(rule: Rule, start: datetime, zone: ZoneInfo) -> None:
    """Refuse a rule that has no occurrence from ``start`` on, or too few to be found in reasonable time.

    Raises:
        InvalidRule: nothing was found.
    """
    walls = _walls(rule, start, zone, start)
    if next(_instants(rule, walls, zone), None) is None:
        raise InvalidRule("has no occurrence at or after the due time; check UNTIL and the BY parts")
    for _ in walls if rule.count is not None else ():
        """All that COUNT asks for is counted once here, so that it can be counted later on."""


def occurrences(rule: Rule, start: datetime, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Give the times after ``after``, in order and in UTC; ``start`` is one of them, whatever the rule says.

    The rule counts from ``start`` and reads its clock in ``zone``. It costs about the same however far
    ``after`` is from ``start``, except with COUNT.

    Raises:
        InvalidRule: the next one is so far away that the search was ended.
    """
    last = after
    if start > last:
        last = start
        yield start
    for instant in _instants(rule, _walls(rule, start, zone, last), zone):
        if instant > last:
            last = instant
            yield instant


def _walls(rule: Rule, start: datetime, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The times on the zone's wall clock, from some before ``after`` on."""
    first = _wall(start, zone)
    meter = _Meter(rule.interval, _MAX_STEPS[rule.frequency])
    options: dict[str, Any] = {"interval": meter, "wkst": rule.week_start, "count": rule.count}
    if rule.until is not None:
        options["until"] = _wall(end_of(rule.until, zone), zone) + _LONGEST_GAP
    if rule.count is None:
        chosen = _spelled_out(rule, first)
        first = _moved_on(rule, first, _wall(after, zone) - _LONGEST_GAP)
    else:
        chosen = dict(rule.chosen)
    options |= chosen
    try:
        for wall in rrule.rrule(rule.frequency, dtstart=first, **options):
            if wall.year > LAST_YEAR:
                return
            if rule.count is None:
                meter.reset()
            yield wall
    except _SearchedTooLong as exc:
        raise InvalidRule("has no occurrence within a hundred years, or too few for its COUNT") from exc
    except (ValueError, OverflowError) as exc:
        raise InvalidRule(f"never comes to pass: {exc}") from exc


def _instants(rule: Rule, walls: Iterator[datetime], zone: ZoneInfo) -> Iterator[datetime]:
    """The times in UTC and in order: what falls into a skipped hour comes after what follows that hour."""
    end = end_of(rule.until, zone) if rule.until is not None else None
    skipped: list[datetime] = []
    for wall in walls:
        instant = wall.replace(tzinfo=zone).astimezone(UTC)
        if end is not None and instant > end:
            break
        if _wall(instant, zone) != wall:
            heapq.heappush(skipped, instant)
            continue
        while skipped and skipped[0] <= instant:
            yield heapq.heappop(skipped)
        yield instant
    yield from sorted(skipped)


class _Meter(int):
    """An INTERVAL that counts how often dateutil adds it, and raises _SearchedTooLong beyond ``limit``.

    dateutil adds it once in each step, and has no other way to end a search.
    """

    def __new__(cls, value: int, limit: int) -> _Meter:
        meter = super().__new__(cls, value)
        meter.limit = limit
        meter.steps = 0
        return meter

    limit: int
    steps: int

    def reset(self) -> None:
        self.steps = 0

    def __radd__(self, other: int) -> int:
        self.steps += 1
        if self.steps > self.limit:
            raise _SearchedTooLong
        return other + int(self)

    def __mul__(self, other: int) -> int:
        return self.__radd__(0) * other


def _spelled_out(rule: Rule, first: datetime) -> dict[str, tuple[Any, ...]]:
    """What the rule chooses, with what else follows from its start: then the start may be moved."""
    chosen = dict(rule.chosen)
    if not _DAY_PARTS & chosen.keys():
        if rule.frequency == YEARLY:
            chosen.setdefault("bymonth", (first.month,))
        if rule.frequency <= MONTHLY:
            chosen["bymonthday"] = (first.day,)
        if rule.frequency == WEEKLY:
            chosen["byweekday"] = (first.weekday(),)
    if rule.frequency < HOURLY:
        chosen.setdefault("byhour", (first.hour,))
    if rule.frequency < MINUTELY:
        chosen.setdefault("byminute", (first.minute,))
    chosen.setdefault("bysecond", (first.second,))
    return chosen


def _moved_on(rule: Rule, first: datetime, to: datetime) -> datetime:
    """A start near ``to``, but before it, whole intervals after ``first``: the same times follow from it."""
    if rule.frequency <= MONTHLY:
        months = rule.interval * (12 if rule.frequency == YEARLY else 1)
        passed = (to.year - first.year) * 12 + to.month - first.month
        jump = (passed // months - 1) * months
        if jump <= 0:
            return first
        year, month = divmod(first.year * 12 + first.month - 1 + jump, 12)
        month = 0 if rule.frequency == YEARLY else month
        return first.replace(year=year, month=month + 1, day=1, hour=0, minute=0, second=0)
    begin = first
    if rule.frequency == WEEKLY:
        begin -= timedelta(days=(first.weekday() - rule.week_start) % 7)
    if rule.frequency <= DAILY:
        begin = begin.replace(hour=0, minute=0, second=0)
    step = rule.interval * PERIODS[rule.frequency]
    jumps = (to - begin) // step - 1
    return begin + jumps * step if jumps > 0 else first


def _wall(time: datetime, zone: ZoneInfo) -> datetime:
    return time.astimezone(zone).replace(tzinfo=None, microsecond=0, fold=0)
