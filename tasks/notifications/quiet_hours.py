"""The hours of the day in which a person wants no mail. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from workers.errors import WrongUsage


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From ``start`` to before ``end`` each day, by the clock of the person's zone.

    If ``end`` is the earlier one, they span midnight.
    """

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    def end_of(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours end that ``now`` is in, in UTC; None if it is in none.

        A clock that is set back shows an hour twice: quiet hours begin when it first shows their start, and
        end when it last shows their end. A clock that is set forward skips an hour: a time in that hour
        counts as the same time after the change.
        """
        today = now.astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            last_day = day if self.end > self.start else day + timedelta(days=1)
            end = _moment(last_day, self.end, zone, last=True)
            if _moment(day, self.start, zone, last=False) <= now < end:
                return end
        return None


def parse_quiet_hours(text: str) -> QuietHours:
    """Read quiet hours as in ``22:00-07:00``. Raises WrongUsage."""
    start, _, end = text.replace("\N{EN DASH}", "-").partition("-")
    try:
        found = QuietHours(_clock(start), _clock(end))
    except ValueError as exc:
        raise WrongUsage(f"{text!r} are no quiet hours; write them like 22:00-07:00") from exc
    if found.start == found.end:
        raise WrongUsage(
            f"the quiet hours {text} would never end, or never begin; write them like 22:00-07:00"
        )
    return found


def _clock(text: str) -> time:
    return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007 - in whatever zone the person is


def _moment(day: date, clock: time, zone: ZoneInfo, *, last: bool) -> datetime:
    wall = datetime.combine(day, clock, zone)
    moments = [wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
    is_skipped = moments[0] > moments[1]
    return moments[0] if is_skipped else moments[last]
