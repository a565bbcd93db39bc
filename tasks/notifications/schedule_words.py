"""Reminder offsets and recurrence rules in words, in the language of the mail's recipient. Pure."""

from __future__ import annotations

from babel.units import format_unit

from ..schedules.offsets import parse_offset
from .languages import Language

#: The phrases that catalogs translate, in the context ``schedule``.
BEFORE = "%(span)s before"
AT_THAT_TIME = "at that time"
EVERY = "every %(span)s"
_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
EVERY_ONE = {frequency: f"every {unit}" for frequency, unit in _UNITS.items()}

CONTEXT = "schedule"


def offset_words(offset: str, language: Language) -> str:
    """An offset like ``-1d`` in words. Raises InvalidOffset."""
    parsed = parse_offset(offset)
    words = language.words
    if not parsed.length:
        return words.pgettext(CONTEXT, AT_THAT_TIME)
    if parsed.days:
        count, unit = (parsed.days, "day") if parsed.days % 7 else (parsed.days // 7, "week")
    else:
        count, unit = (parsed.minutes, "minute") if parsed.minutes % 60 else (parsed.minutes // 60, "hour")
    return words.pgettext(CONTEXT, BEFORE) % {"span": _span(count, unit, language)}


def rule_words(rule: str, language: Language) -> str:
    """A recurrence rule in words if it says no more than how often; any other rule as it is written."""
    parts = dict(part.partition("=")[::2] for part in rule.upper().removeprefix("RRULE:").split(";"))
    frequency = parts.pop("FREQ", "")
    interval = parts.pop("INTERVAL", "1")
    if frequency not in _UNITS or parts or not interval.isdecimal():
        return rule
    if int(interval) == 1:
        return language.words.pgettext(CONTEXT, EVERY_ONE[frequency])
    span = _span(int(interval), _UNITS[frequency], language)
    return language.words.pgettext(CONTEXT, EVERY) % {"span": span}


def _span(count: int, unit: str, language: Language) -> str:
    """Such as 2 weeks."""
    return format_unit(count, f"duration-{unit}", locale=language.locale)
