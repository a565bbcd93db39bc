"""When quiet hours end: over midnight, and on the days on which clocks are set."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.notifications.quiet_hours import QuietHours, parse_quiet_hours
from workers.errors import WrongUsage

ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]


def end(hours: str, now: str, zone: str = "Europe/Berlin") -> str | None:
    """All times by the wall clock of the zone, now with its offset."""
    found = parse_quiet_hours(hours).end_of(datetime.fromisoformat(now), ZoneInfo(zone))
    return found.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") if found else None


@pytest.mark.parametrize(
    ("hours", "now", "expected"),
    [
        # Over midnight.
        ("22:00-07:00", "2026-06-01T21:59:59+02:00", None),
        ("22:00-07:00", "2026-06-01T22:00:00+02:00", "2026-06-02T07:00+02:00"),
        ("22:00-07:00", "2026-06-02T00:00:00+02:00", "2026-06-02T07:00+02:00"),
        ("22:00-07:00", "2026-06-02T06:59:59+02:00", "2026-06-02T07:00+02:00"),
        ("22:00-07:00", "2026-06-02T07:00:00+02:00", None),
        # Within a day, to midnight and from midnight.
        ("12:00-14:00", "2026-06-01T13:00:00+02:00", "2026-06-01T14:00+02:00"),
        ("12:00-14:00", "2026-06-01T14:00:00+02:00", None),
        ("20:00-00:00", "2026-06-01T23:00:00+02:00", "2026-06-02T00:00+02:00"),
        ("00:00-06:00", "2026-06-01T00:00:00+02:00", "2026-06-01T06:00+02:00"),
        ("00:01-00:00", "2026-06-01T00:00:30+02:00", None),
        # The clock is set forward in that night: 02:00 is 03:00.
        ("22:00-07:00", "2026-03-28T22:00:00+01:00", "2026-03-29T07:00+02:00"),
        ("22:00-02:30", "2026-03-29T01:59:00+01:00", "2026-03-29T03:30+02:00"),
        ("02:30-07:00", "2026-03-29T03:29:00+02:00", None),
        ("02:30-07:00", "2026-03-29T03:30:00+02:00", "2026-03-29T07:00+02:00"),
        # It is set back: 03:00 is 02:00, and 02:30 comes twice.
        ("22:00-07:00", "2026-10-24T22:00:00+02:00", "2026-10-25T07:00+01:00"),
        ("22:00-02:30", "2026-10-25T02:00:00+02:00", "2026-10-25T02:30+01:00"),
        ("22:00-02:30", "2026-10-25T02:45:00+02:00", "2026-10-25T02:30+01:00"),
        ("22:00-02:30", "2026-10-25T02:30:00+01:00", None),
        ("02:30-07:00", "2026-10-25T02:29:00+02:00", None),
        ("02:30-07:00", "2026-10-25T02:30:00+02:00", "2026-10-25T07:00+01:00"),
        ("02:30-07:00", "2026-10-25T02:00:00+01:00", "2026-10-25T07:00+01:00"),
    ],
)
def test_the_end_of_quiet_hours(hours: str, now: str, expected: str | None) -> None:
    assert end(hours, now) == expected


def test_the_hours_are_those_of_the_recipients_zone() -> None:
    assert end("22:00-07:00", "2026-06-01T12:00:00+00:00", "America/Los_Angeles") == "2026-06-01T07:00-07:00"
    assert end("22:00-07:00", "2026-06-01T12:00:00+00:00", "Asia/Kathmandu") is None


minutes = st.integers(0, 24 * 60 - 1)


@given(
    minutes,
    minutes,
    st.datetimes(datetime(2009, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(ZONES),
)
def test_what_is_postponed_is_not_postponed_again(start: int, stop: int, now: datetime, zone: str) -> None:
    if start == stop:
        return
    hours = parse_quiet_hours(f"{start // 60}:{start % 60:02}-{stop // 60}:{stop % 60:02}")
    until = hours.end_of(now, ZoneInfo(zone))
    if until is not None:
        assert until > now
        assert (until - now).total_seconds() <= 25 * 3600
        assert hours.end_of(until, ZoneInfo(zone)) is None


@pytest.mark.parametrize("text", ["22:00-07:00", " 22:00 – 7:00 ", "22:0-7:0"])  # noqa: RUF001
def test_hours_are_read_as_people_write_them(text: str) -> None:
    assert str(parse_quiet_hours(text)) == "22:00-07:00"


@pytest.mark.parametrize("text", ["", "22:00", "22-7", "25:00-07:00", "22:00-07:60", "1:00-2:00-3:00", "a-b"])
def test_what_is_no_pair_of_times_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="write them like 22:00-07:00"):
        parse_quiet_hours(text)


def test_hours_that_would_never_end_are_refused() -> None:
    with pytest.raises(WrongUsage, match="never"):
        parse_quiet_hours("07:00-07:00")


def test_quiet_hours_of_the_same_times_are_equal() -> None:
    assert parse_quiet_hours("22:00-07:00") == parse_quiet_hours("22:00-7:00")
    assert isinstance(parse_quiet_hours("22:00-07:00"), QuietHours)
