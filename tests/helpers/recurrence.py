"""A second implementation of recurrence rules, day by day and minute by minute, without dateutil.

It is slow and says what RFC 5545 says: of each day of a period it asks whether the rule has it.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import product

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def expand(text: str, start: datetime, days: int) -> list[datetime]:
    """All occurrences of a rule within ``days`` days from its start, which is the first one."""
    parts = dict(part.split("=") for part in text.split(";"))
    found = {start}
    for period in _periods(parts, start, days):
        chosen = sorted(period)
        if "BYSETPOS" in parts:
            chosen = [
                chosen[position - 1 if position > 0 else position]
                for position in _numbers(parts, "BYSETPOS")
                if abs(position) <= len(chosen)
            ]
        found.update(time for time in chosen if time >= start)
    end = start + timedelta(days=days)
    times = [time for time in sorted(found) if time < end]
    return times[: int(parts["COUNT"])] if "COUNT" in parts else times


def _periods(parts: dict[str, str], start: datetime, days: int) -> Iterator[list[datetime]]:
    """The times of each period that INTERVAL does not skip, before BYSETPOS."""
    interval = int(parts.get("INTERVAL", "1"))
    if parts["FREQ"] in ("HOURLY", "MINUTELY"):
        length = timedelta(hours=1) if parts["FREQ"] == "HOURLY" else timedelta(minutes=1)
        begin = start.replace(minute=0 if parts["FREQ"] == "HOURLY" else start.minute, second=0)
        for number in range(0, int(timedelta(days=days) / length) + 1, interval):
            begins = begin + number * length
            minutes = (
                begins + timedelta(minutes=minute) for minute in range(int(length / timedelta(minutes=1)))
            )
            yield [
                minute.replace(second=second)
                for minute in minutes
                if _has_day(parts, minute.date(), start)
                and minute.hour in _numbers(parts, "BYHOUR", minute.hour)
                and minute.minute
                in _numbers(parts, "BYMINUTE", start.minute if parts["FREQ"] == "HOURLY" else minute.minute)
                for second in _numbers(parts, "BYSECOND", start.second)
            ]
        return
    times = list(
        product(
            _numbers(parts, "BYHOUR", start.hour),
            _numbers(parts, "BYMINUTE", start.minute),
            _numbers(parts, "BYSECOND", start.second),
        )
    )
    first = date(start.year, 1, 1) - timedelta(days=6)
    by_period: dict[int, list[datetime]] = {}
    for number in range(days + 2 * 372):  # the last period is whole, too: BYSETPOS counts from its end
        day = first + timedelta(days=number)
        period = _period(parts, day) - _period(parts, start.date())
        if period >= 0 and period % interval == 0:
            whole = by_period.setdefault(period, [])
            if _has_day(parts, day, start):
                whole += [datetime(day.year, day.month, day.day, *time) for time in times]  # noqa: DTZ001
    yield from by_period.values()


def _period(parts: dict[str, str], day: date) -> int:
    if parts["FREQ"] == "YEARLY":
        return day.year
    if parts["FREQ"] == "MONTHLY":
        return day.year * 12 + day.month
    if parts["FREQ"] == "WEEKLY":
        return (day.toordinal() - 1 - _week_start(parts)) // 7
    return day.toordinal()


def _has_day(parts: dict[str, str], day: date, start: datetime) -> bool:
    year_length = 366 if calendar.isleap(day.year) else 365
    month_length = calendar.monthrange(day.year, day.month)[1]
    year_day = day.timetuple().tm_yday
    week, weeks = _week(day, _week_start(parts))
    yearly_by_month = parts["FREQ"] == "YEARLY" and "BYMONTH" in parts
    chosen = {"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY"} & parts.keys()
    checks = {
        "BYMONTH": {day.month},
        "BYMONTHDAY": {day.day, day.day - month_length - 1},
        "BYYEARDAY": {year_day, year_day - year_length - 1},
        "BYWEEKNO": {week, week - weeks - 1},
    }
    for name, numbers in checks.items():
        if name in parts and not numbers & set(_numbers(parts, name)):
            return False
    if "BYDAY" in parts and not any(
        _is_day(value, day, in_year=parts["FREQ"] == "YEARLY" and not yearly_by_month)
        for value in parts["BYDAY"].split(",")
    ):
        return False
    if chosen == {"BYWEEKNO"}:
        return day.weekday() == start.weekday()
    if not chosen and parts["FREQ"] == "WEEKLY":
        return day.weekday() == start.weekday()
    if not chosen and parts["FREQ"] in ("YEARLY", "MONTHLY"):
        same_month = parts["FREQ"] == "MONTHLY" or yearly_by_month or day.month == start.month
        return same_month and day.day == start.day
    return True


def _is_day(value: str, day: date, *, in_year: bool) -> bool:
    if _DAYS[day.weekday()] != value[-2:]:
        return False
    if value[:-2] == "":
        return True
    if in_year:
        index, length = day.timetuple().tm_yday, 366 if calendar.isleap(day.year) else 365
    else:
        index, length = day.day, calendar.monthrange(day.year, day.month)[1]
    return int(value[:-2]) in {(index - 1) // 7 + 1, -((length - index) // 7 + 1)}


def _week(day: date, week_start: int) -> tuple[int, int]:
    """The number of a day's week, and how many weeks that week's year has."""
    middle = day - timedelta(days=(day.weekday() - week_start) % 7) + timedelta(days=3)
    last = date(middle.year, 12, 31)
    last_middle = last - timedelta(days=(last.weekday() - week_start) % 7) + timedelta(days=3)
    if last_middle.year > middle.year:
        last_middle -= timedelta(days=7)
    return (middle.timetuple().tm_yday - 1) // 7 + 1, (last_middle.timetuple().tm_yday - 1) // 7 + 1


def _week_start(parts: dict[str, str]) -> int:
    return _DAYS.index(parts.get("WKST", "MO"))


def _numbers(parts: dict[str, str], name: str, default: int | None = None) -> list[int]:
    if name not in parts:
        assert default is not None
        return [default]
    return [int(number) for number in parts[name].split(",")]
