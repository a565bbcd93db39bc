"""Writes times and lengths of time as people read them. Pure, and imports nothing heavy."""

from __future__ import annotations

from datetime import UTC, datetime

#: Times from here on are not valid: the year 9999.
_MAX_MS = 253_370_764_800_000


def length_of_time(seconds: float) -> str:
    """A length of time in words: 12 s, 3 min, 5 h, 2 d."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def timestamp(ms: int) -> str:
    """A time in ms as ISO 8601 in UTC; a number that is no time as it is."""
    if not is_time(ms):
        return str(ms)
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")


def nearest_time(ms: int) -> datetime:
    """A time in ms, in UTC; the first or the last that can be shown for a number that is no time."""
    return datetime.fromtimestamp(min(max(ms, 0), _MAX_MS - 1) / 1000, UTC)


def is_time(ms: int) -> bool:
    """Whether a number of ms is a time that can be shown: from 1970 to 9998."""
    return 0 <= ms < _MAX_MS
