"""Which dead letters are meant, and which ids are near one that is not known."""

from __future__ import annotations

import pytest

from workers.dead_letters.selection import Picked, Selection, nearest
from workers.errors import WrongUsage

KNOWN = ["9eb50483-d409-43ac-900c-d90e60f26f61", "1111aaaa-d409-43ac-900c-d90e60f20000"]


@pytest.mark.parametrize(
    "mistyped",
    [
        "9eb50483-d409-43ac-900c-d90e60f26f6x",
        "9eb5048-d409-43ac-900c-d90e60f26f61",
        "xeb50483-d409-43ac-900c-d90e60f26f61",
        "9eb50483-d409-43ac-x900c-d90e60f26f61",
        "9eb504",
    ],
)
def test_a_mistyped_id_finds_the_one_that_was_meant(mistyped: str) -> None:
    assert nearest(mistyped, KNOWN) == KNOWN[:1]


@pytest.mark.parametrize("other", ["hello", "00000000-0000-4000-8000-000000000000", ""])
def test_an_id_that_is_like_none_finds_none(other: str) -> None:
    assert nearest(other, KNOWN) == []


def picked(number: int, kind: str = "send (ValueError)", problem: str | None = None) -> Picked:
    return Picked(number, number % 2, number, f"m-{number}", kind, problem)


def test_kinds_are_counted_in_bounded_memory() -> None:
    kinds = (picked(number, f"nobody is {number}") for number in range(6))
    selection = Selection(kinds, keep_named=2, keep_kinds=3)
    assert selection.total == 6
    assert list(selection.kinds.values()) == [1, 1, 1]
    assert [one.id for one in selection.named] == ["m-0", "m-1"]


def test_a_problem_of_one_stops_all() -> None:
    with pytest.raises(WrongUsage, match="dead letter m-1: no such queue; nothing was done"):
        Selection([picked(0), picked(1, problem="no such queue")])
