"""Turns: the loop is free between some and the next, and one that raises does not end the turns of all."""

from __future__ import annotations

import asyncio
from typing import Any

from web.live.turns import Turns


def test_others_have_their_turn_between_many() -> None:
    async def serve() -> tuple[int, int]:
        turns, served = Turns(), []
        for number in range(1_000):
            turns.add(lambda number=number: served.append(number))  # type: ignore[misc]
        await asyncio.sleep(0)
        first = len(served)
        while turns:
            await asyncio.sleep(0)
        assert served == list(range(1_000))
        return first, len(turns)

    first, left = asyncio.run(serve())
    assert 0 < first < 1_000
    assert left == 0


def test_one_that_comes_back_at_once_has_one_turn_a_round() -> None:
    """The last of a round adds the next one: that must not begin a second chain of rounds."""

    async def serve() -> list[int]:
        turns, served = Turns(), 0

        def again() -> None:
            nonlocal served
            served += 1
            if served < 20:
                turns.add(again)

        turns.add(again)
        rounds = []
        while turns:
            before = served
            await asyncio.sleep(0)
            rounds.append(served - before)
        return rounds

    assert asyncio.run(serve()) == [1] * 20


def test_one_that_raises_does_not_end_the_turns_of_all() -> None:
    async def serve() -> tuple[list[str], list[object]]:
        turns, served, raised = Turns(), [], []

        def note(_loop: object, context: dict[str, Any]) -> None:
            raised.append(context["exception"])

        def fail() -> None:
            raise ValueError

        asyncio.get_running_loop().set_exception_handler(note)
        turns.add(fail)
        turns.add(lambda: served.append("ana"))
        while turns:
            await asyncio.sleep(0)
        return served, raised

    served, raised = asyncio.run(serve())
    assert served == ["ana"]
    assert [type(one) for one in raised] == [ValueError]
