"""Recurrence rules: what is refused, when they recur, and that clocks that change do not move them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from tasks.schedules.occurrences import check_start, occurrences
from tasks.schedules.rules import InvalidRule, parse_rule

BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
START = datetime(2026, 6, 1, 9, 0, tzinfo=BERLIN)


def local(rule: str, start: str, count: int, *, zone: str = "Europe/Berlin") -> list[str]:
    """The first occurrences as a person in the zone reads them, with the zone's abbreviation."""
    where = ZoneInfo(zone)
    begin = datetime.fromisoformat(start).replace(tzinfo=where).astimezone(UTC)
    found = islice(occurrences(parse_rule(rule), begin, where, begin - timedelta(seconds=1)), count)
    return [f"{time.astimezone(where):%Y-%m-%d %H:%M %Z}" for time in found]


def refusal(rule: str, start: datetime = START, zone: ZoneInfo = BERLIN) -> str:
    with pytest.raises(InvalidRule) as caught:
        check_start(parse_rule(rule), start, zone)
    return str(caught.value)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY;COUNT=3", ["06-01", "06-02", "06-03"]),
        ("FREQ=DAILY;INTERVAL=3;UNTIL=20260607", ["06-01", "06-04", "06-07"]),
        ("FREQ=DAILY;UNTIL=20260603T070000Z", ["06-01", "06-02", "06-03"]),
        ("FREQ=DAILY;UNTIL=20260603T065959Z", ["06-01", "06-02"]),
        ("FREQ=DAILY;UNTIL=20260602T090000", ["06-01", "06-02"]),
        ("freq=weekly;byday=mo,fr", ["06-01", "06-05", "06-08", "06-12"]),
        ("RRULE:FREQ=MONTHLY;BYDAY=-1FR;", ["06-01", "06-26", "07-31", "08-28"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", ["06-01", "06-30", "07-31", "08-31"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["06-01", "06-30", "07-31", "08-31"]),
    ],
)
def test_rules_as_people_write_them(rule: str, expected: list[str]) -> None:
    assert [time[5:10] for time in local(rule, "2026-06-01 09:00", 4)] == expected


def test_the_start_is_an_occurrence_though_the_rule_does_not_have_it() -> None:
    assert local("FREQ=WEEKLY;BYDAY=MO", "2026-06-03 09:00", 2) == [
        "2026-06-03 09:00 CEST",
        "2026-06-08 09:00 CEST",
    ]


def test_nine_stays_nine_when_the_clocks_go_forward_and_back() -> None:
    assert local("FREQ=DAILY", "2026-03-28 09:00", 3) == [
        "2026-03-28 09:00 CET",
        "2026-03-29 09:00 CEST",
        "2026-03-30 09:00 CEST",
    ]
    assert local("FREQ=WEEKLY", "2026-10-19 09:00", 2) == ["2026-10-19 09:00 CEST", "2026-10-26 09:00 CET"]
    assert local("FREQ=DAILY", "2026-11-01 00:30", 2, zone="America/New_York") == [
        "2026-11-01 00:30 EDT",
        "2026-11-02 00:30 EST",
    ]


def test_a_time_in_the_hour_that_is_skipped_comes_an_hour_later_that_day_only() -> None:
    assert local("FREQ=DAILY", "2026-03-28 02:30", 3) == [
        "2026-03-28 02:30 CET",
        "2026-03-29 03:30 CEST",
        "2026-03-30 02:30 CEST",
    ]


def test_a_time_that_comes_twice_is_meant_the_first_time() -> None:
    assert local("FREQ=DAILY", "2026-10-24 02:30", 3) == [
        "2026-10-24 02:30 CEST",
        "2026-10-25 02:30 CEST",
        "2026-10-26 02:30 CET",
    ]


def test_a_start_in_the_second_of_two_hours_is_kept_and_does_not_come_again() -> None:
    start = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)
    found = list(islice(occurrences(parse_rule("FREQ=DAILY"), start, BERLIN, start - timedelta(1)), 2))
    assert found == [start, datetime(2026, 10, 26, 2, 30, tzinfo=BERLIN)]


def test_no_time_comes_twice_or_out_of_order_where_an_hour_is_skipped() -> None:
    assert local("FREQ=MINUTELY;INTERVAL=30", "2026-03-29 01:00", 6) == [
        "2026-03-29 01:00 CET",
        "2026-03-29 01:30 CET",
        "2026-03-29 03:00 CEST",
        "2026-03-29 03:30 CEST",
        "2026-03-29 04:00 CEST",
        "2026-03-29 04:30 CEST",
    ]


def test_a_day_that_a_zone_skips_is_made_up_for() -> None:
    # Samoa went over the date line: 30 December 2011 did not exist there.
    found = local("FREQ=DAILY", "2011-12-28 09:00", 4, zone="Pacific/Apia")
    assert [time[:10] for time in found] == ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01"]


def test_a_rule_without_an_end_costs_no_more_far_from_its_start() -> None:
    start = datetime(1970, 1, 1, 9, 0, tzinfo=UTC)
    found = occurrences(
        parse_rule("FREQ=MINUTELY;INTERVAL=7"), start, BERLIN, datetime(2900, 1, 1, tzinfo=UTC)
    )
    # Counted from the start, it would be the 69,850,000th, which takes minutes.
    assert next(found) - datetime(2900, 1, 1, tzinfo=UTC) <= timedelta(minutes=7)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("", "needs NAME=VALUE"),
        ("BYDAY=MO", "needs FREQ"),
        ("FREQ=DAILY;COUNTS=5", "has no part 'COUNTS'; did you mean COUNT?"),
        ("FREQ=DAILY;FREQ=DAILY", "has FREQ twice"),
        ("FREQ=WEEKY", "not 'WEEKY'; did you mean WEEKLY?"),
        ("FREQ=DAILY\nDTSTART:20260101", "FREQ may be"),
        ("FREQ=DAILY;COUNT=0", "COUNT should be a whole number from 1 on"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "COUNT or UNTIL, not both"),
        ("FREQ=DAILY;COUNT=1000000000", "COUNT may be 10000, not 1000000000; leave it out"),
        ("FREQ=DAILY;COUNT=99999999999999999999", "COUNT should be a whole number"),
        ("FREQ=YEARLY;INTERVAL=101", "more than a hundred years"),
        ("FREQ=MINUTELY;INTERVAL=999999999", "more than a hundred years"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL should be like 20261231"),
        ("FREQ=DAILY;UNTIL=20261331", "UNTIL should be like 20261231"),
        ("FREQ=DAILY;UNTIL=00010101", "between the years 1970 and 9998"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR takes 0 to 23, not '24'"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY takes 1 to 31 or -31 to -1, not '0'"),
        ("FREQ=WEEKLY;BYDAY=MONDAY", "BYDAY takes days such as MO"),
        ("FREQ=WEEKLY;BYDAY=1MO", "goes with FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYDAY=53MO", "BYDAY takes days such as MO, 1FR"),
        ("FREQ=YEARLY;BYMONTH=12;BYDAY=-6MO", "BYDAY takes days such as MO, 1FR"),
        ("FREQ=WEEKLY;BYMONTHDAY=5", "BYMONTHDAY does not go with FREQ=WEEKLY"),
        ("FREQ=DAILY;BYSETPOS=1", "BYSETPOS needs another BY part"),
        ("FREQ=DAILY;BYHOUR=9;BYSETPOS=" + ",".join(map(str, range(1, 40))), "BYSETPOS may have 12"),
        ("FREQ=DAILY;WKST=XX", "WKST should be one of"),
        ("FREQ=DAILY;BYHOUR=" + ",".join(["9"] * 300), "may have 500 characters"),
        ("FREQ=DAILY;BYEASTER=1", "has no part 'BYEASTER'"),
    ],
)
def test_what_is_no_rule_is_refused_in_words(rule: str, words: str) -> None:
    assert words in refusal(rule)


EVERY = ",".join(map(str, range(60)))


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=SECONDLY;INTERVAL=3600",
        "FREQ=MINUTELY",
        "FREQ=MINUTELY;INTERVAL=4",
        f"FREQ=YEARLY;BYMINUTE={EVERY};BYSECOND={EVERY}",
        f"FREQ=MINUTELY;INTERVAL=10;BYSECOND={EVERY}",
        "FREQ=HOURLY;BYMINUTE=0,4",
        "FREQ=DAILY;BYHOUR=9,10;BYMINUTE=2,58",
    ],
)
def test_what_comes_too_often_is_refused(rule: str) -> None:
    assert "5 minutes must lie between two times" in refusal(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO;BYSETPOS=20",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;BYSETPOS=" + ",".join(map(str, range(1, 13))),
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;INTERVAL=5;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;INTERVAL=30;BYHOUR=9;BYMINUTE=13",
        "FREQ=HOURLY;INTERVAL=2;BYHOUR=10",
        "FREQ=YEARLY;BYMONTH=1;BYYEARDAY=366",
        "FREQ=DAILY;BYDAY=MO;BYMONTHDAY=29;BYMONTH=2;COUNT=10000",
        "FREQ=DAILY;UNTIL=20200101",
        "FREQ=DAILY;BYMONTH=2;UNTIL=20261231",
    ],
)
def test_what_never_comes_is_refused_after_a_bounded_search(rule: str) -> None:
    # An unbounded one takes dateutil from seconds to hours: the suite's time limit would end it.
    assert re.search("no occurrence|never comes to pass", refusal(rule))
