"""Time zones by the names that events give. Pure."""

from __future__ import annotations

from zoneinfo import ZoneInfo


def zone_named(name: object) -> ZoneInfo:
    """The time zone with an IANA name. Raises ValueError if there is none, or the name is no text."""
    # For some tuples ZoneInfo returns a zone, or even a text, and does not raise.
    if not isinstance(name, str):
        raise ValueError("the name of a time zone is no text")  # noqa: TRY004 - as for other wrong names
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise ValueError(f"there is no time zone {name[:60]!r}") from exc
