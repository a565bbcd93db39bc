"""Months as texts: at the ends of the calendar, too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tasks.audit.archive.months import end_of, month_of, plus, start_of


@pytest.mark.parametrize(
    ("time", "month", "end"),
    [
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "2026-12", datetime(2027, 1, 1, tzinfo=UTC)),
        (
            datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            "2026-02",
            datetime(2026, 3, 1, tzinfo=UTC),
        ),
        (datetime(999, 1, 31, tzinfo=UTC), "0999-01", datetime(999, 2, 1, tzinfo=UTC)),
        (datetime(9999, 12, 31, tzinfo=UTC), "9999-12", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_a_time_is_in_its_month(time: datetime, month: str, end: datetime) -> None:
    assert month_of(time) == month
    assert end_of(month) == end
    assert start_of(month) <= time < end


def test_months_are_counted_over_years() -> None:
    assert [plus("2026-01", months) for months in (-13, -1, 0, 11, 12)] == [
        "2024-12",
        "2025-12",
        "2026-01",
        "2026-12",
        "2027-01",
    ]
