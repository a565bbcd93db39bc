"""Reads times, ages and lengths of time as people type them.

Nothing heavy is imported here: `--help` of a command that takes a time reads this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo

#: The units of a length, in seconds, as the settings have them; no module of theirs is imported here, as an
#: application may have a module `settings` of its own.
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
#: The units of an age.
_MORE_UNITS = {**_UNITS, "min": 60, "w": 604_800}
_LENGTH = re.compile(r"(\d{1,6}(?:\.\d+)?)\s*([a-z]+)")
#: A longer one would end after the last year that there is.
_MAX_LENGTH = timedelta(days=2_000_000)


def parse_time(text: str, now_ms: int) -> int:
    """A time in ms: an age such as ``2h`` or ``3d`` before now, or ISO 8601, in UTC if it has no zone.

    Raises WrongUsage.
    """
    from ..errors import WrongUsage

    age = _length_of(text, _MORE_UNITS)
    try:
        if age is not None:
            ms = now_ms - int(age.total_seconds() * 1000)
        else:
            ms = int(_in_zone(text, UTC).timestamp() * 1000)
        datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise WrongUsage(
            f"{text[:40]!r} is no time; write an age such as 90s, 15m, 2h, 3d or 1w, or 2026-01-31T08:00"
        ) from exc
    return ms


def parse_coming_time(text: str, now: datetime, zone: tzinfo) -> datetime:
    """A time in UTC: a length such as ``2h`` from now, or ISO 8601, in ``zone`` if it has none.

    Raises WrongUsage.
    """
    from ..errors import WrongUsage

    if text[-1:] in set("smhd"):
        return now + parse_length(text)
    try:
        return _in_zone(text, zone).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise WrongUsage(
            f"{text!r} is no time; write 2026-06-05T09:00, or 2h for two hours from now"
        ) from exc


def parse_length(text: str) -> timedelta:
    """A length of time such as ``15m``, more than nothing and less than some thousand years.

    Raises WrongUsage.
    """
    from ..errors import WrongUsage

    length = _length_of(text, _UNITS)
    if length is None or length > _MAX_LENGTH:
        raise WrongUsage(f"{text!r} is no length of time; write 15m, 2h or 1d")
    if not length:
        raise WrongUsage("a length of time should be more than nothing")
    return length


def _length_of(text: str, units: Mapping[str, int]) -> timedelta | None:
    found = _LENGTH.fullmatch(text.strip())
    if not found or found[2] not in units:
        return None
    return timedelta(seconds=float(found[1]) * units[found[2]])


def _in_zone(text: str, zone: tzinfo) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=zone)
