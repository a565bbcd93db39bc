"""Reads times, ages and lengths of time as people type them.

Nothing heavy is imported here: `--help` of a command that takes a time reads this module.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

#: A longer one would end after the last year that there is.
_MAX_LENGTH = timedelta(days=2_000_000)


def parse_time(text: str, now_ms: int) -> int:
    """A time in ms: an age such as ``2h`` or ``3d`` before now, or ISO 8601, in UTC if it has no zone.

    Raises WrongUsage.
    """
    from settings.lengths import MORE_UNITS, length_of

    from ..errors import WrongUsage

    age = length_of(text, MORE_UNITS)
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
    from settings.lengths import length_of

    from ..errors import WrongUsage

    length = length_of(text)
    if length is None or length > _MAX_LENGTH:
        raise WrongUsage(f"{text!r} is no length of time; write 15m, 2h or 1d")
    if not length:
        raise WrongUsage("a length of time should be more than nothing")
    return length


def _in_zone(text: str, zone: tzinfo) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=zone)
