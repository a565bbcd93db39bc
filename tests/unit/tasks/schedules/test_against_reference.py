"""Recurrence rules against a second implementation, which asks each day and minute whether it is meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tasks.schedules.occurrences import occurrences
from tasks.schedules.rules import InvalidRule, parse_rule
from tests.helpers.recurrence import expand

UTC_ZONE = ZoneInfo("UTC")

lists = st.fixed_dictionaries(
    {},
    optional={
        "BYDAY": st.sampled_from(["MO", "TU,SA", "SU", "MO,WE,FR"]),
        "BYMONTH": st.sampled_from(["2", "1,6,7", "3,12"]),
        "BYHOUR": st.sampled_from(["0", "9,17", "2,3"]),
        "BYMINUTE": st.sampled_from(["0", "10,40"]),
        "WKST": st.sampled_from(["SU", "WE"]),
        "INTERVAL": st.integers(1, 5).map(str),
        "COUNT": st.integers(1, 7).map(str),
    },
)
by_frequency: st.SearchStrategy[tuple[str, dict[str, str]]] = (
    st.tuples(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY"]), st.just({}))
    | st.tuples(st.sampled_from(["YEARLY", "MONTHLY", "DAILY"]), st.just({"BYMONTHDAY": "-1,13,29"}))
    | st.tuples(st.sampled_from(["YEARLY", "MONTHLY"]), st.just({"BYDAY": "-1FR,2MO"}))
    | st.tuples(st.sampled_from(["YEARLY", "MONTHLY"]), st.just({"BYDAY": "MO,-1WE"}))
    | st.tuples(
        st.sampled_from(["MONTHLY", "WEEKLY", "YEARLY"]),
        st.fixed_dictionaries(
            {"BYDAY": st.sampled_from(["MO,TU,WE,TH,FR", "MO,WE,FR", "SU,SA"])},
            optional={"BYSETPOS": st.sampled_from(["1", "2", "-1", "1,-1", "-2,3"])},
        ),
    )
    | st.tuples(st.sampled_from(["DAILY", "WEEKLY"]), st.just({"BYHOUR": "8,12,20", "BYSETPOS": "2,-1"}))
    | st.tuples(
        st.just("YEARLY"),
        st.fixed_dictionaries(
            {"BYWEEKNO": st.sampled_from(["2,20,50", "1", "52", "53", "-1,2", "-52", "-53,20"])},
            optional={"BYSETPOS": st.sampled_from(["1", "-1,3"])},
        ),
    )
    | st.tuples(st.just("YEARLY"), st.just({"BYYEARDAY": "1,100,-1"}))
)
starts = st.datetimes(datetime(2020, 1, 1), datetime(2024, 12, 31)).map(  # noqa: DTZ001 - hypothesis wants it so
    lambda time: time.replace(microsecond=0)
)


def found_by_us(text: str, start: datetime, after: datetime, until: datetime) -> list[datetime]:
    found = occurrences(parse_rule(text), start.replace(tzinfo=UTC), UTC_ZONE, after.replace(tzinfo=UTC))
    times = []
    try:
        for time in found:
            if time.replace(tzinfo=None) >= until:
                break
            times.append(time.replace(tzinfo=None))
    except InvalidRule:  # the next one is beyond a hundred years, or is never
        pass
    return times


def compare(parts: dict[str, str], start: datetime, days: int, later: timedelta) -> None:
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    try:
        parse_rule(text)
    except InvalidRule:
        assume(False)
    after = start - timedelta(seconds=1) + later
    expected = [time for time in expand(text, start, days) if time > after]
    assert found_by_us(text, start, after, start + timedelta(days=days)) == expected, text


@settings(max_examples=150)
@example(("WEEKLY", {"BYDAY": "MO,WE,FR", "BYSETPOS": "2"}), {}, datetime(2026, 6, 3, 9), timedelta(0))  # noqa: DTZ001
@example(("WEEKLY", {"BYDAY": "MO"}), {"COUNT": "3"}, datetime(2026, 6, 3, 9), timedelta(0))  # noqa: DTZ001
@given(by_frequency, lists, starts, st.timedeltas(timedelta(0), timedelta(days=700)))
def test_days_are_those_that_the_rule_has(
    frequency: tuple[str, dict[str, str]], lists: dict[str, str], start: datetime, later: timedelta
) -> None:
    compare({"FREQ": frequency[0], **lists, **frequency[1]}, start, 800, later)


@settings(max_examples=60)
@example({"FREQ": "HOURLY", "INTERVAL": "2", "BYHOUR": "0"}, datetime(2020, 1, 1, 1), timedelta(0))  # noqa: DTZ001
@given(
    st.fixed_dictionaries(
        {"FREQ": st.sampled_from(["HOURLY", "MINUTELY"])},
        optional={
            "INTERVAL": st.sampled_from(["5", "7", "45", "90"]),
            "BYHOUR": st.sampled_from(["0", "9,17", "2,3"]),
            "BYMINUTE": st.sampled_from(["0", "10,40"]),
            "BYDAY": st.sampled_from(["MO", "TU,SA"]),
            "BYSETPOS": st.sampled_from(["1", "-1"]),
            "COUNT": st.integers(1, 9).map(str),
        },
    ),
    starts,
    st.timedeltas(timedelta(0), timedelta(days=5)),
)
def test_hours_and_minutes_are_those_that_the_rule_has(
    parts: dict[str, str], start: datetime, later: timedelta
) -> None:
    compare(parts, start, 6, later)


@pytest.mark.parametrize("week_start", ["MO", "SU", "WE", "SA"])
@pytest.mark.parametrize("weeks", ["1", "52", "53", "-1", "-52", "-53", "1,-1"])
def test_weeks_that_reach_over_the_end_of_a_year_have_all_of_their_days(weeks: str, week_start: str) -> None:
    days = "MO,TU,WE,TH,FR,SA,SU"
    parts = {"FREQ": "YEARLY", "BYWEEKNO": weeks, "BYDAY": days, "WKST": week_start}
    compare(parts, datetime(2000, 1, 5, 9), 28 * 366, timedelta(0))  # noqa: DTZ001 - years begin on every weekday


def test_weeks_are_those_of_the_calendar_of_iso_8601() -> None:
    start = datetime(2000, 1, 5, 9)  # noqa: DTZ001
    rule = "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO,TU,WE,TH,FR,SA,SU"
    found = found_by_us(rule, start, start, datetime(2030, 1, 1))  # noqa: DTZ001
    every = (start + timedelta(days=days) for days in range(1, 30 * 366))
    assert found == [day for day in every if day.isocalendar().week == 53 and day.year < 2030]


def test_a_position_in_the_week_of_the_start_counts_from_the_beginning_of_that_week() -> None:
    start = datetime(2026, 6, 3, 9)  # noqa: DTZ001 - a Wednesday
    found = found_by_us("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", start, start, datetime(2026, 6, 20))  # noqa: DTZ001
    assert [time.day for time in found] == [10, 17]


def test_the_start_counts_also_where_the_rule_does_not_name_it() -> None:
    start = datetime(2026, 6, 3, 9)  # noqa: DTZ001 - a Wednesday
    before = start - timedelta(days=1)
    found = found_by_us("FREQ=WEEKLY;BYDAY=MO;COUNT=3", start, before, datetime(2027, 1, 1))  # noqa: DTZ001
    assert [time.day for time in found] == [3, 8, 15]


@pytest.mark.parametrize("rule", ["FREQ=MONTHLY;BYDAY=MO,-1WE", "FREQ=YEARLY;BYMONTH=6;BYDAY=MO,-1WE"])
def test_plain_and_numbered_days_in_one_list_are_days_of_either_kind(rule: str) -> None:
    start = datetime(2026, 6, 1, 9)  # noqa: DTZ001
    found = found_by_us(rule, start, start, datetime(2026, 7, 1))  # noqa: DTZ001
    assert [time.day for time in found] == [8, 15, 22, 24, 29]
