"""A run waits for those before it, says that it goes on, and is stopped by whoever wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from workers.dead_letters.resolving import Resolution
from workers.errors import KafkaUnreachable
from workers.operations.action_log import Chain
from workers.operations.logged import Busy, Stopped, Unheard
from workers.operations.logged_runs import SAYS_S, SILENT_S, LoggedRun, LoggedRuns
from workers.operations.turn import Turn

NOW_S = 1_700_000_000.0


class World:
    """A log in memory, that may be ``away``. ``rest`` lets the time pass without waiting.

    ``clock_of`` says how wrong the clock of somebody's machine is.
    """

    def __init__(self) -> None:
        self.told = LoggedRuns()
        self.chain = Chain(listener=self.told)
        self.rests: list[float] = []
        self.then: list[tuple[str, str, Mapping[str, Any]]] = []
        self.clock_of: dict[str, float] = {}
        self.passed_s = 0.0
        self.looks = 0
        self.is_away = False

    def write(self, who: str, did: str, about: Mapping[str, Any], *, ago_s: float = 0.0) -> int:
        if self.is_away:
            raise KafkaUnreachable("Kafka is away")
        at_s = NOW_S + self.passed_s - ago_s
        value = self.chain.value(who, did, about, int((at_s + self.clock_of.get(who, 0.0)) * 1000))
        self.chain.take(value, int(at_s * 1000))
        return self.chain.count

    def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.passed_s += seconds
        if self.then:
            self.write(*self.then.pop(0))

    def turn(self, number: int, done: int = 0, rest: Callable[[float], object] | None = None) -> Turn:
        def told() -> Mapping[str, LoggedRun]:
            self.looks += 1
            return self.told.by_id

        return Turn(
            "own",
            number,
            Resolution(done=done),
            told,
            self.write,
            now_ms=lambda: (NOW_S + self.passed_s) * 1000,
            rest=rest or self.rest,
            clock=lambda: self.passed_s,
        )

    @property
    def said(self) -> list[str]:
        return [one.did for one in self.chain.last]


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
    waited: list[LoggedRun] = []
    turn.wait_for_others(waited.append)
    assert [one.id for one in waited] == ["other"]
    assert len(world.rests) == 2


def test_one_whose_process_was_killed_is_not_waited_for(world: World) -> None:
    world.write("bo", "replay", {"run": "other", "letters": 2}, ago_s=SILENT_S + 1)
    world.turn(world.write("ann", "discard", {"run": "own", "letters": 1})).wait_for_others()
    assert world.rests == []


@pytest.mark.parametrize("most_s", [0.0, 20.0])
def test_it_waits_no_longer_than_it_was_told(world: World, most_s: float) -> None:
    world.write("bo", "replay", {"run": "other", "letters": 2})
    turn = world.turn(world.write("ann", "discard", {"run": "own", "letters": 1}))
    with pytest.raises(Busy, match="bo acts: a replay of 2"):
        turn.wait_for_others(most_s=most_s)
    assert world.passed_s == most_s


@pytest.mark.parametrize("wrong_s", [-600, 600])
def test_whom_it_waits_for_and_for_how_long_does_not_depend_on_the_clock_of_another_machine(
    world: World, wrong_s: float
) -> None:
    world.clock_of["bo"] = wrong_s
    world.write("bo", "replay", {"run": "other", "letters": 2})
    turn = world.turn(world.write("ann", "discard", {"run": "own", "letters": 1}))
    waited: list[LoggedRun] = []
    turn.wait_for_others(waited.append)  # its process was killed
    assert [one.id for one in waited] == ["other"]
    assert SILENT_S <= world.passed_s < SILENT_S + 2


def test_it_says_now_and_then_that_it_goes_on_also_during_a_long_wait(world: World) -> None:
    number = world.write("ann", "replay", {"run": "own", "letters": 9}, ago_s=SAYS_S + 1)
    turn = world.turn(number, done=4)
    turn.pause(0.0)
    turn.pause(0.0)
    assert [(one.did, one.about) for one in world.chain.last][1:] == [
        ("replay: goes on", {"run": "own", "done": 4, "turn": number})
    ]
    turn.pause(10 * SAYS_S)
    assert len(world.chain.last) == 2 + 10


def test_it_asks_the_log_once_a_second_however_often_it_is_called(world: World) -> None:
    turn = world.turn(world.write("ann", "replay", {"run": "own", "letters": 9}))
    for _ in range(1_000):
        turn.pause(0.0)
    assert world.looks == 1


def test_it_ends_where_somebody_wants_it_to_or_has_gone_on_with_it(world: World) -> None:
    number = world.write("ann", "replay", {"run": "own", "letters": 9})
    world.then = [("bo", "replay: stop", {"run": "own"})]
    with pytest.raises(Stopped, match="stopped by bo"):
        world.turn(number).pause(60.0)
    world.write("ann", "replay: stopped", {"run": "own", "done": 1})
    world.write("cy", "replay", {"run": "own", "letters": 8})
    with pytest.raises(Stopped, match="cy has gone on with it"):
        world.turn(number).pause(0.0)


@pytest.mark.parametrize("pause_s", [0.0, 0.5, 60.0])
def test_one_that_stood_still_for_so_long_that_others_act_ends(world: World, pause_s: float) -> None:
    def stands_still(seconds: float) -> None:
        world.passed_s += seconds + SILENT_S + 1

    turn = world.turn(world.write("ann", "replay", {"run": "own", "letters": 9}), rest=stands_still)
    with pytest.raises(Unheard, match=r"no news of it for 15\d s"):
        turn.pause(pause_s)
    assert world.said == ["replay"]


def test_a_log_that_is_away_ends_it_only_shortly_before_others_may_act(world: World) -> None:
    turn = world.turn(world.write("ann", "replay", {"run": "own", "letters": 9}))
    world.is_away = True
    turn.pause(SILENT_S - SAYS_S - 5)
    world.is_away = False
    turn.pause(1.0)
    assert world.said == ["replay", "replay: goes on"]
    world.is_away = True
    with pytest.raises(Unheard, match=r"others may act: Kafka is away"):
        turn.pause(3_600.0)
    assert SILENT_S - SAYS_S < (NOW_S + world.passed_s) - world.chain.last[-1].at_ms / 1000 < SILENT_S


def test_nothing_begins_while_the_log_is_away(world: World) -> None:
    turn = world.turn(world.write("ann", "replay", {"run": "own", "letters": 9}), rest=world.rest)

    def is_away() -> Mapping[str, LoggedRun]:
        raise KafkaUnreachable("Kafka is away")

    turn._told = is_away
    with pytest.raises(Unheard):
        turn.wait_for_others()
