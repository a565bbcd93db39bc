"""A run waits for those before it, says that it goes on, and is stopped by whoever wants it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from workers.dead_letters.resolving import Resolution
from workers.operations.action_log import Chain
from workers.operations.logged import Stopped
from workers.operations.told_runs import SAYS_S, SILENT_S, ToldRun, ToldRuns
from workers.operations.turn import Turn


class World:
    """A log in memory; ``rest`` lets the time of the log's records pass without waiting."""

    def __init__(self) -> None:
        self.told = ToldRuns()
        self.chain = Chain(listener=self.told)
        self.rests: list[float] = []
        self.then: list[tuple[str, str, Mapping[str, Any]]] = []

    def write(self, who: str, did: str, about: Mapping[str, Any], *, ago_s: float = 0.0) -> int:
        self.chain.take(self.chain.value(who, did, about, int((time.time() - ago_s) * 1000)))
        return self.chain.count

    def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        if self.then:
            self.write(*self.then.pop(0))

    def turn(self, number: int, done: int = 0) -> Turn:
        resolution = Resolution(done=done)
        return Turn("own", number, resolution, lambda: self.told.by_id, self.write, rest=self.rest)


@pytest.fixture
def world() -> World:
    return World()


def test_it_waits_for_those_that_began_before_and_for_no_later_one(world: World) -> None:
    world.write("bo", "replay", {"run": "other", "letters": 2})
    turn = world.turn(world.write("ann", "discard", {"run": "own", "letters": 1}))
    world.write("cy", "replay", {"run": "later", "letters": 1})
    world.then = [
        ("bo", "replay: goes on", {"run": "other", "done": 1}),
        ("bo", "replay: ended", {"run": "other", "done": 2}),
    ]
    waited: list[ToldRun] = []
    turn.wait_for_others(waited.append)
    assert [one.id for one in waited] == ["other"]
    assert len(world.rests) == 2


def test_one_whose_process_was_killed_is_not_waited_for(world: World) -> None:
    world.write("bo", "replay", {"run": "other", "letters": 2}, ago_s=SILENT_S + 1)
    world.turn(world.write("ann", "discard", {"run": "own", "letters": 1})).wait_for_others()
    assert world.rests == []


def test_it_says_now_and_then_that_it_goes_on_also_during_a_long_wait(world: World) -> None:
    number = world.write("ann", "replay", {"run": "own", "letters": 9}, ago_s=SAYS_S + 1)
    turn = world.turn(number, done=4)
    turn.pause(0.0)
    turn.pause(0.0)
    assert [(one.did, one.about) for one in world.chain.last][1:] == [
        ("replay: goes on", {"run": "own", "done": 4})
    ]


def test_it_ends_where_somebody_wants_it_to_or_has_gone_on_with_it(world: World) -> None:
    number = world.write("ann", "replay", {"run": "own", "letters": 9})
    world.then = [("bo", "replay: stop", {"run": "own"})]
    with pytest.raises(Stopped, match="stopped by bo"):
        world.turn(number).pause(60.0)
    world.write("ann", "replay: stopped", {"run": "own", "done": 1})
    world.write("cy", "replay", {"run": "own", "letters": 8})
    with pytest.raises(Stopped, match="cy has gone on with it"):
        world.turn(number).pause(0.0)
