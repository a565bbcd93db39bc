"""Months of the calendar, in UTC, as texts such as 2026-01. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

_LAST = "9999-12"


def month_of(time: datetime) -> str:
    """The month of a time."""
    time = time.astimezone(UTC)
    return f"{time.year:04}-{time.month:02}"


def start_of(month: str) -> datetime:
    """The first moment of a month. Raises ValueError for what is none."""
    return datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)


def plus(month: str, months: int) -> str:
    """The month that is so many months later, or earlier."""
    start = start_of(month)
    count = start.year * 12 + start.month - 1 + months
    return f"{count // 12:04}-{count % 12 + 1:02}"


def end_of(month: str) -> datetime:
    """The first moment after a month; the last one there is, if there is no month after it."""
    return start_of(plus(month, 1)) if month < _LAST else datetime.max.replace(tzinfo=UTC)
