"""Offsets: how long before the due time a reminder comes, such as -1d, -1h or 0m. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from workers.errors import WorkersError

#: The longest time between a reminder and the due time.
MAX_OFFSET = timedelta(days=366)


#: By how much calendar days before a time may differ from as many times 24 hours.
MAX_DAY_DIFFERENCE = timedelta(hours=26)


_OFFSET = re.compile(r"-(\d{1,6})([mhdw])|-?0([mhdw])")


_MINUTES = {"m": 1, "h": 60}


_DAYS = {"d": 1, "w": 7}


class InvalidOffset(WorkersError, ValueError):
    """The offset should be like -1d, -1h, -15m or 0m."""


@dataclass(frozen=True)
class Offset:
    """A length of time before an occurrence: either calendar days or exact minutes."""

    days: int = 0
    minutes: int = 0

    def __str__(self) -> str:
        if self.days:
            return f"-{self.days}d"
        hours, minutes = divmod(self.minutes, 60)
        return f"-{hours}h" if hours and not minutes else f"-{self.minutes}m" if self.minutes else "0m"

    @property
    def length(self) -> timedelta:
        """Its length if no clock changes."""
        return timedelta(days=self.days, minutes=self.minutes)

    def before(self, occurrence: datetime, zone: ZoneInfo) -> datetime:
        """The time to remind at, in UTC, for an occurrence on the calendar of ``zone``."""
        if not self.days:
            return occurrence.astimezone(UTC) - timedelta(minutes=self.minutes)
        # Arithmetic on a time with a zone is on its wall clock; its fold must not outlive it.
        wall = occurrence.astimezone(zone).replace(fold=0) - timedelta(days=self.days)
        return wall.astimezone(UTC)


def parse_offset(text: str) -> Offset:
    """Read an offset like ``-1d``: minutes, hours, days or weeks before the due time; ``0m`` is at that time.

    Raises:
        InvalidOffset: it is no offset, or longer than a year.
    """
    match = _OFFSET.fullmatch(text)
    if match is None:
        raise InvalidOffset(f"should be like -1d, -1h, -15m or 0m, not {text[:40]!r}")
    number, unit = int(match[1] or 0), match[2] or match[3]
    offset = Offset(days=number * _DAYS.get(unit, 0), minutes=number * _MINUTES.get(unit, 0))
    if offset.length > MAX_OFFSET:
        raise InvalidOffset(f"may be {MAX_OFFSET.days} days before, not {text}")
    return offset
