"""Chooses days by the number of their week (BYWEEKNO of RFC 5545). Pure.

dateutil takes the first days of January for the wrong week in some years (dateutil/dateutil#1537), and does
not know week -53, nor -52 where that begins in December.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import groupby


def in_weeks(
    times: Iterable[datetime], numbers: Collection[int], week_start: int, positions: Collection[int] = ()
) -> Iterator[datetime]:
    """Those of ``times``, which are in order, that lie in one of the weeks.

    A number below 0 counts from the year's last week. ``positions`` (BYSETPOS) choose from those of a year.
    """
    for _, year in groupby(times, lambda time: time.year):
        found = [time for time in year if not _numbers_of(time.date(), week_start).isdisjoint(numbers)]
        if positions:
            places = {at - 1 if at > 0 else len(found) + at for at in positions}
            found = [found[place] for place in sorted(places) if 0 <= place < len(found)]
        yield from found


@lru_cache(maxsize=4_096)
def _numbers_of(day: date, week_start: int) -> frozenset[int]:
    """The number of a day's week, from the beginning and from the end of the year that the week counts to."""
    number = _week(day, week_start)
    # The 28th of December is always in the last week: four of its days lie in the year.
    last = _week(date(_middle(day, week_start).year, 12, 28), week_start)
    return frozenset({number, number - last - 1})


def _week(day: date, week_start: int) -> int:
    return (_middle(day, week_start).timetuple().tm_yday - 1) // 7 + 1


def _middle(day: date, week_start: int) -> date:
    """The fourth day of the week: the week belongs to the year that this one lies in."""
    return day + timedelta(days=3 - (day.weekday() - week_start) % 7)
