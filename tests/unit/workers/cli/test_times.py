"""Times and lengths of time, as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from settings.lengths import length_of
from workers.cli.times import parse_coming_time, parse_length, parse_time
from workers.display.times import timestamp
from workers.errors import WrongUsage

NOW_MS = 1_800_000_000_000
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90s", NOW_MS - 90_000),
        ("15m", NOW_MS - 900_000),
        ("1.5h", NOW_MS - 5_400_000),
        ("3d", NOW_MS - 259_200_000),
        ("1w", NOW_MS - 604_800_000),
        ("2027-01-15T08:00:00", int(datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp() * 1000)),
        ("2027-01-15T08:00:00+02:00", int(datetime(2027, 1, 15, 6, tzinfo=UTC).timestamp() * 1000)),
    ],
)
def test_an_age_or_a_time_is_read(text: str, ms: int) -> None:
    assert parse_time(text, NOW_MS) == ms


@pytest.mark.parametrize("text", ["yesterday", "3x", "", "-2h", "2027-13-01", "9999999w", "9" * 400 + "d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="such as 90s"):
        parse_time(text, NOW_MS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", NOW + timedelta(hours=2)),
        ("2026-06-05T09:00", datetime(2026, 6, 5, 7, tzinfo=UTC)),
        ("2026-06-05 09:00:30+00:00", datetime(2026, 6, 5, 9, 0, 30, tzinfo=UTC)),
        ("2026-03-29T02:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_time_to_come_is_counted_from_now_or_read_in_the_zone(text: str, expected: datetime) -> None:
    assert parse_coming_time(text, NOW, BERLIN) == expected


@pytest.mark.parametrize("text", ["", "soon", "tomorrow", "-2h", "0h", "2026-06-31", "9999999d"])
def test_what_is_no_time_to_come_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match=r"no time|no length of time|more than nothing"):
        parse_coming_time(text, NOW, BERLIN)


@pytest.mark.parametrize(
    ("ms", "shown"), [(0, "1970-01-01T00:00:00+00:00"), (-1, "-1"), (10**18, "1000000000000000000")]
)
def test_a_number_that_is_no_time_is_shown_as_it_is(ms: int, shown: str) -> None:
    assert timestamp(ms) == shown


@pytest.mark.parametrize("text", ["1.5h", " 90 s ", "15m", "30d", "2w", "5", "h", "1_000s", "٣h", "1234567s"])
def test_a_length_is_read_as_in_the_settings(text: str) -> None:
    meant = length_of(text)
    if meant is None:
        with pytest.raises(WrongUsage):
            parse_length(text)
    else:
        assert parse_length(text) == meant
