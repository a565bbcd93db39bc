"""Computes when a recurrence rule (RRULE of RFC 5545) recurs. Pure: no I/O, no clock.

python-dateutil expands a rule, on the wall clock of a zone and without the zone; then each time gets the
offset that the zone has on that day. So 09:00 stays 09:00 when the clocks change. A time in the hour that is
skipped comes as much later (02:30 is 03:30 then); a time that comes twice means the first one: both as
RFC 5545 has it.

What we do around dateutil, and why:

- The search starts at the beginning of the start's own period, and earlier times are left out. dateutil
  choose BYSETPOS in the week of the start from the days that are left of it (dateutil/dateutil#1398).
- We count ourselves. By RFC 5545 the start is the first occurrence and counts, whether the rule names it or
  not; dateutil counts only the times that the rule names (dateutil/dateutil#1021).
- Its search is bounded: dateutil goes on until the year 9999 if a rule has no occurrence, so it is given an
  interval that counts its steps.
- We choose the weeks of BYWEEKNO ourselves, see :mod:`.week_numbers`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
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
from .week_numbers import in_weeks

#: How many steps of each frequency dateutil may take until the next occurrence: over a hundred years if a
#: step is a day or more, and some tenths of a second of work.
_MAX_STEPS = (200, 2_400, 8_000, 50_000, 50_000, 50_000)

#: The parts that choose days. If a rule has none of them, its days follow from the start.
_DAY_PARTS = frozenset(["byweekno", "byyearday", "bymonthday", "byweekday"])

#: More than any change of a zone's clock: some zones skipped a day when the date line moved.
_LONGEST_GAP = timedelta(hours=25)


class _SearchedTooLong(Exception):
    """dateutil took more steps than a rule that makes sense needs."""


def check_start(rule: Rule, start: datetime, zone: ZoneInfo) -> None:
    """Refuse a rule that has no occurrence from ``start`` on, or too few to be found in reasonable time.

    Raises:
        InvalidRule: nothing was found.
    """
    found = _instants(rule, _walls(rule, start, zone, start), zone)
    if next(found, None) is None:
        raise InvalidRule("has no occurrence at or after the due time; check UNTIL and the BY parts")
    if rule.count is not None:
        # Each later call counts all of them: that must be possible, so it is tried once here.
        deque(occurrences(rule, start, zone, start), maxlen=0)


def occurrences(rule: Rule, start: datetime, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The times after ``after``, in order and in UTC. ``start`` is always the first of all.

    The rule counts from ``start`` and reads its clock in ``zone``. It costs about the same however far
    ``after`` is from ``start``, except with COUNT.

    Raises:
        InvalidRule: the next one is so far away that the search was ended.
    """
    if rule.count is None:
        yield from _from_start(rule, start, zone, after)
        return
    counted = islice(_from_start(rule, start, zone, start - timedelta(seconds=1)), rule.count)
    yield from (time for time in counted if time > after)


def _from_start(rule: Rule, start: datetime, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The times after ``after`` as if there were no COUNT."""
    last = after
    if start > last:
        last = start
        yield start
    for instant in _instants(rule, _walls(rule, start, zone, last), zone):
        if instant > last:
            last = instant
            yield instant


def _walls(rule: Rule, start: datetime, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The times on the zone's wall clock: from ``start`` on, or from some time before ``after`` on."""
    first = _wall(start, zone)
    begin = _period_of(rule, first)
    if rule.count is None:
        begin = _moved_on(rule, begin, _wall(after, zone) - _LONGEST_GAP)
    interval = _CountingInterval(rule.interval, _MAX_STEPS[rule.frequency])
    options: dict[str, Any] = {"interval": interval, "wkst": rule.week_start, **_spelled_out(rule, first)}
    if rule.until is not None:
        options["until"] = _wall(end_of(rule.until, zone), zone) + _LONGEST_GAP
    weeks = options.pop("byweekno", ())
    positions = options.pop("bysetpos", ()) if weeks else ()
    try:
        walls: Iterable[datetime] = rrule.rrule(rule.frequency, dtstart=begin, **options)
        if weeks:
            walls = in_weeks(walls, weeks, rule.week_start, positions)
        for wall in walls:
            if wall.year > LAST_YEAR:
                return
            if rule.count is None:
                interval.reset()
            if wall >= first:
                yield wall
    except _SearchedTooLong as exc:
        raise InvalidRule("has no occurrence within a hundred years, or too few for its COUNT") from exc
    except (ValueError, OverflowError) as exc:
        raise InvalidRule(f"never comes to pass: {exc}") from exc


def _instants(rule: Rule, walls: Iterator[datetime], zone: ZoneInfo) -> Iterator[datetime]:
    """The times in UTC and in order; a time in a skipped hour sorts behind the times that it passes."""
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


class _CountingInterval(int):
    """An INTERVAL that counts how often dateutil adds it, and raises _SearchedTooLong beyond ``limit``.

    dateutil uses it exactly once in each step of its search and has no other way to end one: ``until`` is
    compared only with times that it has found.
    """

    def __new__(cls, value: int, limit: int) -> _CountingInterval:
        interval = super().__new__(cls, value)
        interval.limit = limit
        interval.steps = 0
        return interval

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
    """The parts of the rule, and those that follow from its start: so the search may begin elsewhere."""
    chosen = dict(rule.chosen)
    if not _DAY_PARTS & chosen.keys():
        if rule.frequency == YEARLY:
            chosen.setdefault("bymonth", (first.month,))
        if rule.frequency <= MONTHLY:
            chosen["bymonthday"] = (first.day,)
        if rule.frequency == WEEKLY:
            chosen["byweekday"] = (first.weekday(),)
    elif _DAY_PARTS & chosen.keys() == {"byweekno"}:
        # A week alone means the start's day of that week; dateutil would take all seven.
        chosen["byweekday"] = (first.weekday(),)
    if rule.frequency < HOURLY:
        chosen.setdefault("byhour", (first.hour,))
    if rule.frequency < MINUTELY:
        chosen.setdefault("byminute", (first.minute,))
    chosen.setdefault("bysecond", (first.second,))
    return chosen


def _period_of(rule: Rule, first: datetime) -> datetime:
    """The beginning of the period that ``first`` lies in: of its year, month, week, day, hour or minute."""
    begin = first.replace(second=0)
    if rule.frequency <= HOURLY:
        begin = begin.replace(minute=0)
    if rule.frequency <= DAILY:
        begin = begin.replace(hour=0)
    if rule.frequency == WEEKLY:
        return begin - timedelta(days=(first.weekday() - rule.week_start) % 7)
    if rule.frequency <= MONTHLY:
        begin = begin.replace(day=1)
    return begin.replace(month=1) if rule.frequency == YEARLY else begin


def _moved_on(rule: Rule, begin: datetime, to: datetime) -> datetime:
    """A beginning of a period near ``to``, but before it, whole intervals after ``begin``."""
    if rule.frequency <= MONTHLY:
        months = rule.interval * (12 if rule.frequency == YEARLY else 1)
        passed = (to.year - begin.year) * 12 + to.month - begin.month
        jump = max(0, passed // months - 1) * months
        year, month = divmod(begin.year * 12 + begin.month - 1 + jump, 12)
        return begin.replace(year=year, month=month + 1)
    step = rule.interval * PERIODS[rule.frequency]
    return begin + max(0, (to - begin) // step - 1) * step


def _wall(time: datetime, zone: ZoneInfo) -> datetime:
    return time.astimezone(zone).replace(tzinfo=None, microsecond=0, fold=0)
