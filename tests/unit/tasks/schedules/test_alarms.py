"""When reminders fire: offsets on the calendar and exact ones, recurring todos, alarms that were missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from tasks.schedules.alarms import Alarm, Plan, alarms, next_alarm, what_is_due
from tasks.schedules.offsets import InvalidOffset, parse_offset

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    """A time on Berlin's clock, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def plan(due: str, offset: str = "0m", recurrence: str | None = None) -> Plan:
    return Plan(at(due), "Europe/Berlin", parse_offset(offset), recurrence)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("-1d", "-1d"),
        ("-2w", "-14d"),
        ("-24h", "-24h"),
        ("-60m", "-1h"),
        ("-90m", "-90m"),
        ("0m", "0m"),
        ("-0d", "0m"),
        ("0h", "0m"),
        ("-366d", "-366d"),
    ],
)
def test_an_offset_that_is_written_differently_is_the_same(text: str, canonical: str) -> None:
    assert str(parse_offset(text)) == canonical
    assert parse_offset(canonical) == parse_offset(text)


@pytest.mark.parametrize(
    "text", ["", "1h", "+1h", "-1", "-1y", "-h", "- 1h", "-1.5h", "-1h\n", "-367d", "-9999999m"]
)
def test_what_is_no_offset_is_refused(text: str) -> None:
    with pytest.raises(InvalidOffset, match=r"should be like -1d|may be 366 days"):
        parse_offset(text)


def test_a_day_before_is_the_same_time_on_the_day_before_also_where_the_clocks_change() -> None:
    due = at("2026-03-29 09:00")
    assert parse_offset("-1d").before(due, BERLIN) == at("2026-03-28 09:00") == due - timedelta(hours=23)
    assert parse_offset("-24h").before(due, BERLIN) == due - timedelta(hours=24)
    assert parse_offset("-1w").before(at("2026-10-26 09:00"), BERLIN) == at("2026-10-19 09:00")


def test_a_day_before_that_falls_into_the_skipped_hour_is_an_hour_later() -> None:
    assert parse_offset("-1d").before(at("2026-03-30 02:30"), BERLIN) == at("2026-03-29 03:30")


def test_a_day_before_that_comes_twice_is_meant_the_first_time() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=0).astimezone(UTC)
    assert parse_offset("-1d").before(at("2026-10-26 02:30"), BERLIN) == first


def test_what_has_passed_does_not_fire() -> None:
    once = plan("2026-06-05 09:00", "-1h")
    assert next_alarm(once, at("2026-06-05 07:59")) == Alarm(once.due, at("2026-06-05 08:00"))
    assert next_alarm(once, at("2026-06-05 08:00")) is None


def test_each_occurrence_has_its_alarm() -> None:
    weekly = plan("2026-06-01 09:00", "-1d", "FREQ=WEEKLY;COUNT=3")
    found = list(alarms(weekly, at("2026-06-01 00:00")))
    assert found == [
        Alarm(at("2026-06-08 09:00"), at("2026-06-07 09:00")),
        Alarm(at("2026-06-15 09:00"), at("2026-06-14 09:00")),
    ]


def test_a_long_offset_before_a_frequent_todo_finds_its_place_at_once() -> None:
    often = plan("2020-01-01 00:00", "-366d", "FREQ=MINUTELY;INTERVAL=5")
    first, second = islice(alarms(often, at("2026-06-01 12:00")), 2)
    assert (first.at, second.at) == (at("2026-06-01 12:05"), at("2026-06-01 12:10"))


def test_an_alarm_in_time_is_followed_by_the_next() -> None:
    daily = plan("2026-03-28 09:00", "-15m", "FREQ=DAILY")
    alarm = next_alarm(daily, at("2026-03-28 00:00"))
    assert alarm is not None
    due = what_is_due(daily, alarm, alarm.at + timedelta(seconds=2))
    assert (due.latest, due.passed) == (alarm, 0)
    assert due.following == Alarm(at("2026-03-29 09:00"), at("2026-03-29 08:45"))


def test_of_many_that_were_missed_the_latest_stands_for_all() -> None:
    daily = plan("2026-06-01 09:00", "0m", "FREQ=DAILY")
    first = Alarm(at("2026-06-01 09:00"), at("2026-06-01 09:00"))
    due = what_is_due(daily, first, at("2026-06-05 12:00"))
    assert due.latest == Alarm(at("2026-06-05 09:00"), at("2026-06-05 09:00"))
    assert due.passed == 4
    assert due.following == Alarm(at("2026-06-06 09:00"), at("2026-06-06 09:00"))


def test_after_years_the_latest_is_still_found() -> None:
    often = plan("2010-01-01 09:00", "0m", "FREQ=MINUTELY;INTERVAL=60")
    first = Alarm(often.due, often.due)
    due = what_is_due(often, first, at("2026-06-05 12:10"))
    assert due.latest.at == at("2026-06-05 12:00")
    yearly = plan("2010-06-06 09:00", "0m", "FREQ=YEARLY")
    due = what_is_due(yearly, Alarm(yearly.due, yearly.due), at("2026-06-05 12:00"))
    assert due.latest.at == at("2025-06-06 09:00")
    assert due.following == Alarm(at("2026-06-06 09:00"), at("2026-06-06 09:00"))


def test_one_that_was_put_off_beyond_the_next_stands_for_it_too() -> None:
    daily = plan("2026-06-01 09:00", "0m", "FREQ=DAILY")
    put_off = Alarm(at("2026-06-01 09:00"), at("2026-06-03 12:00"))
    due = what_is_due(daily, put_off, put_off.at)
    assert due.latest.occurrence == at("2026-06-03 09:00")
    assert due.following == Alarm(at("2026-06-04 09:00"), at("2026-06-04 09:00"))


def test_one_that_was_set_earlier_does_not_fire_again_at_its_planned_time() -> None:
    once = plan("2026-06-05 09:00")
    early = Alarm(once.due, at("2026-06-04 09:00"))
    assert what_is_due(once, early, early.at).following is None


def test_the_last_of_a_series_has_no_next() -> None:
    twice = plan("2026-06-01 09:00", "0m", "FREQ=DAILY;COUNT=2")
    last = Alarm(at("2026-06-02 09:00"), at("2026-06-02 09:00"))
    assert what_is_due(twice, last, last.at).following is None


def test_plans_are_told_apart_by_all_that_decides() -> None:
    plans = [
        plan("2026-06-05 09:00"),
        plan("2026-06-05 09:01"),
        plan("2026-06-05 09:00", "-1d"),
        plan("2026-06-05 09:00", "0m", "FREQ=DAILY"),
        Plan(at("2026-06-05 09:00"), "UTC", parse_offset("0m")),
    ]
    assert len({str(one) for one in plans}) == len(plans)
    assert str(plan("2026-06-05 09:00", "-60m")) == str(plan("2026-06-05 09:00", "-1h"))
