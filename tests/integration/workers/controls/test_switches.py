"""A switch takes jobs out right before they start; what it held is replayed in order when it is lifted."""

from __future__ import annotations

import threading
from collections.abc import Callable

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.kafka_reading import letters_of
from tests.helpers.waiting import wait_for
from workers import KafkaBroker
from workers.controls.then import Then
from workers.dead_letters.filter import Filter, parse_place
from workers.dead_letters.letter import DeadLetter, Reason
from workers.dead_letters.resolving import Resolution
from workers.dead_letters.selection import Search
from workers.operations.dead_letters import act, replaying
from workers.operations.switches import lift

StartWorker = Callable[..., Worker]


class World:
    """One process; jobs are (todo, number), and a number below 0 fails at the first attempt, once it may."""

    def __init__(self, broker: KafkaBroker, start_worker: StartWorker) -> None:
        self.broker = broker
        self.ran: list[tuple[str, int]] = []
        self.failed: set[int] = set()
        self.may_fail = threading.Event()

        @dramatiq.actor(broker=broker, min_backoff=1, max_backoff=1)
        def work(todo: dict[str, str], number: int) -> None:
            if number < 0 and number not in self.failed:
                self.failed.add(number)
                assert self.may_fail.wait(30)
                raise ValueError("the first time")
            self.ran.append((todo["id"], number))

        self.work = work
        start_worker(broker, threads=1)

    def set(self, then: Then, *places: str) -> str:
        controls = self.broker.controls
        where = Filter(actor="work", where=tuple(map(parse_place, places)))
        switch, change = controls.switch(where, then, who="ann")
        assert controls.wait_confirmed(change, 20).is_complete
        return switch.id

    def letters(self, count: int) -> list[DeadLetter]:
        return wait_for(
            lambda: found if len(found := letters_of(self.broker)) == count else None, timeout_s=30
        )


@pytest.fixture
def world(broker: KafkaBroker, start_worker: StartWorker) -> World:
    return World(broker, start_worker)


def test_what_is_held_runs_in_order_when_the_switch_is_lifted(world: World) -> None:
    switch_id = world.set(Then.HOLD, "args.0.id=x")
    for number in range(30):
        world.work.send_with_options(args=({"id": "x"}, number), key="todo:x")
    world.work.send({"id": "y"}, 0)
    world.work.send_with_options(args=({"id": "x"}, 100), delay=100)
    letters = world.letters(31)
    assert {(letter.reason, letter.held_by, letter.attempts) for letter in letters} == {
        (Reason.HELD, switch_id, 1)
    }
    wait_for(lambda: world.ran == [("y", 0)])

    # The delayed one is held again when it is replayed.
    late = next(one for one in letters if b"100]" in (one.value or b"").replace(b" ", b""))
    search, action = Search(world.broker.producer, world.broker.topics.dead_letters), replaying(world.broker)
    selection = search.select(Filter(ids=(late.id,)), None, action.problem_of)
    act(world.broker, search, selection, action, Resolution())
    again = {(late.id, 1, switch_id)}
    wait_for(
        lambda: again <= {(one.id, one.replays, one.held_by) for one in letters_of(world.broker)},
        timeout_s=30,
    )

    lifted = lift(world.broker, switch_id, who="ann", timeout_s=20)
    assert lifted.is_complete
    assert lifted.held == 31
    wait_for(lambda: len(world.ran) == 32)
    assert [number for todo, number in world.ran if todo == "x" and number < 100] == list(range(30))
    assert letters_of(world.broker) == []
    # Lifted once more, it finds nothing left to do.
    assert lift(world.broker, switch_id, who="ann", timeout_s=20).held == 0


def test_a_retry_that_was_held_keeps_the_count_of_its_attempts(world: World) -> None:
    world.work.send({"id": "x"}, -1)
    wait_for(lambda: world.failed)
    switch_id = world.set(Then.HOLD, "args.1=-1")
    world.may_fail.set()
    (letter,) = world.letters(1)
    assert (letter.reason, letter.attempts) == (Reason.HELD, 2)
    assert b'"retries":1' in (letter.value or b"").replace(b" ", b"")
    assert world.ran == []
    lift(world.broker, switch_id, who="ann", timeout_s=20)
    wait_for(lambda: world.ran == [("x", -1)])


def test_what_is_discarded_is_done_and_counted(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    switch_id = world.set(Then.DISCARD, "args.0.id=x")
    for number in range(5):
        world.work.send({"id": "x"}, number)
    world.work.send({"id": "y"}, 0)
    wait_for(lambda: world.ran == [("y", 0)])
    world.broker.join("default", timeout=60_000)
    assert letters_of(world.broker) == []
    assert world.broker.controls.gate.counts == {switch_id: 5}
    assert caplog.text.count("job discarded by a switch") == 5
    assert "was skipped" not in caplog.text
