"""Reads the numbers in what others wrote: any of them may be absurd, and must stop nothing. Pure.

JSON as Python reads it has infinite numbers too, and whole ones that no calculation can take.
"""

from __future__ import annotations

import math
import re

from ..display.times import is_time

#: Whole numbers are below this: what Kafka and SQLite can hold.
_END = 2**63
_DIGITS = re.compile("-?[0-9]{1,19}")


def whole(found: object, *, least: int = 0) -> int:
    """A whole number from ``least`` on that 64 bits hold, as JSON has it or as digits. Raises ValueError."""
    number = found.decode(errors="replace") if isinstance(found, bytes) else found
    if isinstance(number, str) and _DIGITS.fullmatch(number):
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool) or not least <= number < _END:
        raise ValueError(f"{found!r:.40} is no whole number from {least} on")
    return number


def time_ms(found: object) -> int:
    """A time in ms since 1970, up to the year 9998, as :func:`whole` reads it. Raises ValueError."""
    ms = whole(found)
    if not is_time(ms):
        raise ValueError(f"{ms} is no time in ms")
    return ms


def finite(found: object) -> float:
    """A number of JSON's, with a fraction or without, that can be calculated with. Raises ValueError."""
    if not isinstance(found, int | float) or not -_END < found < _END or not math.isfinite(found):
        raise ValueError(f"{found!r:.40} is no number to calculate with")
    return float(found)
