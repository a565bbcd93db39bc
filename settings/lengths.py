"""Reads lengths of time as people write them: 90s, 15m, 1.5 h. Pure."""

import re
from collections.abc import Mapping
from datetime import timedelta

#: The units of a length, in seconds.
UNITS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
#: The same units and longer ones, for ages that are typed on a command line.
MORE_UNITS: Mapping[str, int] = {**UNITS, "min": 60, "w": 604_800}

_LENGTH = re.compile(r"(\d{1,6}(?:\.\d+)?)\s*([a-z]+)")


def length_of(text: str, units: Mapping[str, int] = UNITS) -> timedelta | None:
    """The length of a number with one of `units`; None for any other text."""
    found = _LENGTH.fullmatch(text.strip())
    if not found or found[2] not in units:
        return None
    return timedelta(seconds=float(found[1]) * units[found[2]])
