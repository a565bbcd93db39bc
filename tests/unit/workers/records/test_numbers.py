"""Numbers that others wrote: those that make sense, and no others."""

from __future__ import annotations

import math

import pytest

from workers.records.numbers import finite, time_ms, whole


@pytest.mark.parametrize(
    ("found", "meant"), [(0, 0), (2**63 - 1, 2**63 - 1), ("17", 17), (b"17", 17), ("007", 7)]
)
def test_a_whole_number_is_read_as_a_number_and_as_digits(found: object, meant: int) -> None:
    assert whole(found) == meant


NO_NUMBERS = [-1, 2**63, 10**400, 1.0, math.inf, math.nan, True, None, [1]]
NO_DIGITS = ["", "-1", "+1", " 1", "1_0", "1e9", "\u0661", b"\xff", "9" * 20, "9" * 5_000]


@pytest.mark.parametrize("found", [*NO_NUMBERS, *NO_DIGITS])
def test_anything_else_is_no_whole_number(found: object) -> None:
    with pytest.raises(ValueError, match="no whole number"):
        whole(found)


def test_a_number_may_be_below_zero_where_that_makes_sense() -> None:
    assert whole("-5", least=-5) == -5
    with pytest.raises(ValueError, match="from -5 on"):
        whole("-6", least=-5)


def test_a_time_ends_with_the_year_9998() -> None:
    assert time_ms(b"1780000000000") == 1_780_000_000_000
    with pytest.raises(ValueError, match="no time"):
        time_ms(10**15)


@pytest.mark.parametrize("found", [0, 1.5, -3, 1e18])
def test_a_number_to_calculate_with_is_taken(found: float) -> None:
    assert finite(found) == found


@pytest.mark.parametrize("found", [math.inf, -math.inf, math.nan, 1e300, 10**400, "1", None, [1]])
def test_one_that_breaks_a_calculation_is_not(found: object) -> None:
    with pytest.raises(ValueError, match="no number"):
        finite(found)
