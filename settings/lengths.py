"""Reads lengths of time as people write them: 90s, 15m, 1.5 h. Pure."""

import re
from collections.abc import Mapping
from datetime import timedelta

#: The units of a length, in seconds.
_UNITS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

_LENGTH = re.compile(r"(\d{1,6}(?:\.\d+)?)\s*([a-z]+)")


def length_of(text: str) -> timedelta | None:
    """The length of a number with one of the units; None for any other text."""
    found = _LENGTH.fullmatch(text.strip())
    if not found or found[2] not in _UNITS:
        return None
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])
