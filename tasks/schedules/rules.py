"""Reads recurrence rules (RRULE of RFC 5545) and says what is wrong with those that it refuses. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dateutil import rrule

from workers.display.spelling import did_you_mean
from workers.errors import WorkersError

#: Longest text of a rule, in characters.
MAX_RULE_LENGTH = 500
#: The largest COUNT: finding the next occurrence means counting all of them.
MAX_COUNT = 10_000
#: The least distance of two occurrences, in minutes.
MIN_GAP_MIN = 5
#: The longest INTERVAL.
MAX_INTERVAL = timedelta(days=36_525)
#: How many values BYSETPOS may have: each is looked up in each period.
MAX_POSITIONS = 12
#: The last year of any occurrence: times of 9999 do not exist in every zone.
LAST_YEAR = 9998

#: dateutil's numbers.
Frequency = Literal[0, 1, 2, 3, 4, 5]
YEARLY: Frequency = 0
MONTHLY: Frequency = 1
WEEKLY: Frequency = 2
DAILY: Frequency = 3
HOURLY: Frequency = 4
MINUTELY: Frequency = 5

#: The length of a period of each frequency; the shortest one for years and months.
PERIODS = (
    timedelta(days=365),
    timedelta(days=28),
    timedelta(days=7),
    timedelta(days=1),
    timedelta(hours=1),
    timedelta(minutes=1),
)

_FREQUENCIES: dict[str, Frequency] = {
    "YEARLY": YEARLY,
    "MONTHLY": MONTHLY,
    "WEEKLY": WEEKLY,
    "DAILY": DAILY,
    "HOURLY": HOURLY,
    "MINUTELY": MINUTELY,
}
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[+-]?\d{1,18}")
_UNTIL = re.compile(r"\d{8}(T\d{6}Z?)?")


@dataclass(frozen=True)
class _Numbers:
    """A part with a list of numbers: from ``lowest`` to ``largest``, or also counted from the end."""

    lowest: int
    largest: int
    from_end: bool = False
    #: The frequencies that RFC 5545 does not allow it with.
    not_with: tuple[Frequency, ...] = ()

    def allows(self, number: int) -> bool:
        """Whether ``number`` is in range."""
        return self.lowest <= number <= self.largest or (self.from_end and -self.largest <= number <= -1)

    def __str__(self) -> str:
        """The range in words."""
        return f"{self.lowest} to {self.largest}" + (f" or -{self.largest} to -1" if self.from_end else "")


_LISTS = {
    "BYSECOND": _Numbers(0, 59),
    "BYMINUTE": _Numbers(0, 59),
    "BYHOUR": _Numbers(0, 23),
    "BYMONTHDAY": _Numbers(1, 31, from_end=True, not_with=(WEEKLY,)),
    "BYYEARDAY": _Numbers(1, 366, from_end=True, not_with=(MONTHLY, WEEKLY, DAILY)),
    "BYWEEKNO": _Numbers(1, 53, from_end=True, not_with=(MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY)),
    "BYMONTH": _Numbers(1, 12),
    "BYSETPOS": _Numbers(1, 366, from_end=True),
}
_PARTS = ("FREQ", "UNTIL", "COUNT", "INTERVAL", "WKST", "BYDAY", *_LISTS)


class InvalidRule(WorkersError, ValueError):
    """The recurrence is not a rule that can be followed; the text says why."""


@dataclass(frozen=True)
class Rule:
    """A recurrence rule. ``chosen`` has the parts that choose times, under dateutil's names."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: str | None = None
    week_start: int = 0
    chosen: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


@lru_cache(maxsize=1_024)
def parse_rule(text: str) -> Rule:
    """Read a rule like ``FREQ=WEEKLY;BYDAY=MO,FR``; ``RRULE:`` may stand before it.

    Raises:
        InvalidRule: it is no rule, or beyond a limit: occurrences less than five minutes apart, a COUNT
            above 10,000, an INTERVAL above a hundred years.
    """
    if len(text) > MAX_RULE_LENGTH:
        raise InvalidRule(f"may have {MAX_RULE_LENGTH} characters, not {len(text)}")
    parts = _split(text)
    if "FREQ" not in parts:
        raise InvalidRule("needs FREQ, as in FREQ=WEEKLY;BYDAY=MO")
    rule = Rule(
        frequency=_frequency(parts["FREQ"]),
        interval=_whole("INTERVAL", parts.get("INTERVAL", "1")),
        count=_whole("COUNT", parts["COUNT"]) if "COUNT" in parts else None,
        until=_until(parts["UNTIL"]) if "UNTIL" in parts else None,
        week_start=_week_start(parts.get("WKST", "MO")),
        chosen=_chosen(parts),
    )
    _check_limits(rule)
    _check_distance(rule)
    return rule


def end_of(until: str, zone: ZoneInfo) -> datetime:
    """UNTIL as a moment: a date means the end of that day; without a Z it is read on the zone's clock."""
    if len(until) == 8:
        until += "T235959"
    time = datetime.strptime(until.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - the zone follows
    return time.replace(tzinfo=UTC if until.endswith("Z") else zone).astimezone(UTC)


def _split(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").removesuffix(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise InvalidRule(f"needs NAME=VALUE with ; between, as in FREQ=DAILY;COUNT=5, not {part[:40]!r}")
        if name not in _PARTS:
            raise InvalidRule(f"has no part {name[:40]!r}{did_you_mean(name, _PARTS)}")
        if name in parts:
            raise InvalidRule(f"has {name} twice")
        parts[name] = value
    return parts


def _frequency(value: str) -> Frequency:
    if value == "SECONDLY":
        raise InvalidRule(f"may not come every second: {MIN_GAP_MIN} minutes must lie between two times")
    if value not in _FREQUENCIES:
        raise InvalidRule(
            f"FREQ may be {', '.join(_FREQUENCIES)}, not {value[:40]!r}{did_you_mean(value, _FREQUENCIES)}"
        )
    return _FREQUENCIES[value]


def _whole(name: str, value: str) -> int:
    if not (_NUMBER.fullmatch(value) and int(value) >= 1):
        raise InvalidRule(f"{name} should be a whole number from 1 on, not {value[:40]!r}")
    return int(value)


def _until(value: str) -> str:
    wrong = f"UNTIL should be like 20261231 or 20261231T170000Z, not {value[:40]!r}"
    if not _UNTIL.fullmatch(value):
        raise InvalidRule(wrong)
    try:
        year = end_of(value, ZoneInfo("UTC")).year
    except (ValueError, OverflowError) as exc:
        raise InvalidRule(wrong) from exc
    if not 1970 <= year <= LAST_YEAR:
        raise InvalidRule(f"UNTIL must lie between the years 1970 and {LAST_YEAR}")
    return value


def _week_start(value: str) -> int:
    if value not in _DAYS:
        raise InvalidRule(f"WKST should be one of {', '.join(_DAYS)}, not {value[:40]!r}")
    return _DAYS.index(value)


def _chosen(parts: Mapping[str, str]) -> dict[str, tuple[Any, ...]]:
    frequency = _frequency(parts["FREQ"])
    chosen: dict[str, tuple[Any, ...]] = {}
    for name, numbers in _LISTS.items():
        if name not in parts:
            continue
        if frequency in numbers.not_with:
            raise InvalidRule(f"{name} does not go with FREQ={parts['FREQ']}")
        values = [_number(name, value, numbers) for value in parts[name].split(",")]
        chosen[name.lower()] = tuple(dict.fromkeys(values))
    if "BYDAY" in parts:
        chosen["byweekday"] = _weekdays(parts["BYDAY"], _largest_number(frequency, chosen))
    if chosen.keys() == {"bysetpos"}:
        raise InvalidRule("BYSETPOS needs another BY part to choose from")
    return chosen


def _number(name: str, value: str, numbers: _Numbers) -> int:
    if not (_NUMBER.fullmatch(value) and numbers.allows(int(value))):
        raise InvalidRule(f"{name} takes {numbers}, not {value[:40]!r}")
    return int(value)


def _largest_number(frequency: Frequency, chosen: Mapping[str, tuple[Any, ...]]) -> int:
    """The largest number that a day of BYDAY may have, in its month or year; 0 if it may have none."""
    if frequency > MONTHLY or "byweekno" in chosen:
        return 0
    return 5 if frequency == MONTHLY or "bymonth" in chosen else 53


def _weekdays(values: str, largest: int) -> tuple[Any, ...]:
    days = [_weekday(value, largest) for value in values.split(",")]
    if any(day.n for day in days):
        # dateutil takes a list of both kinds for days that are of each kind, and finds none
        # (jkbrzt/rrule#71, of its port): so a plain day is spelled out as the first, the second, ...
        return tuple(day(n) for day in days for n in ([day.n] if day.n else range(1, largest + 1)))
    return tuple(days)


def _weekday(value: str, largest: int) -> Any:
    match = _DAY.fullmatch(value)
    number = int(match[1]) if match and match[1] else None
    if match is None or (number is not None and not 1 <= abs(number) <= (largest or 53)):
        # A sixth Monday of a month would not only never come: dateutil looks for it beyond its tables.
        raise InvalidRule(f"BYDAY takes days such as MO, 1FR or -1SU, not {value[:40]!r}")
    if number is not None and not largest:
        raise InvalidRule(f"BYDAY={value} goes with FREQ=MONTHLY, and with FREQ=YEARLY without BYWEEKNO")
    return rrule.weekday(_DAYS.index(match[2]), number)


def _check_limits(rule: Rule) -> None:
    if rule.count is not None and rule.until is not None:
        raise InvalidRule("may have COUNT or UNTIL, not both")
    if rule.count is not None and rule.count > MAX_COUNT:
        raise InvalidRule(
            f"COUNT may be {MAX_COUNT}, not {rule.count}; leave it out, and it goes on for ever"
        )
    if rule.interval > MAX_INTERVAL // PERIODS[rule.frequency]:
        raise InvalidRule(f"INTERVAL={rule.interval} is more than a hundred years")
    if len(rule.chosen.get("bysetpos", ())) > MAX_POSITIONS:
        raise InvalidRule(f"BYSETPOS may have {MAX_POSITIONS} values")


def _check_distance(rule: Rule) -> None:
    """Refuse a rule whose form alone says that it recurs more often than every five minutes."""
    minutes = sorted(rule.chosen.get("byminute", ()))
    gaps = [
        later - earlier
        for earlier, later in zip(minutes, [*minutes[1:], *(m + 60 for m in minutes[:1])], strict=True)
    ]
    if rule.frequency == MINUTELY:
        gaps = [rule.interval]
    if len(rule.chosen.get("bysecond", ())) > 1 or any(gap < MIN_GAP_MIN for gap in gaps):
        raise InvalidRule(f"comes too often: {MIN_GAP_MIN} minutes must lie between two times")
