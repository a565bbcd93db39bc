"""A process lets no job start whose queue is paused, or that a switch takes out."""

from __future__ import annotations

import logging
from typing import Any

import dramatiq
import pytest

from tests.helpers.records import Consumed
from workers.controls.decision import Note, Pause, Switch
from workers.controls.gate import Gate
from workers.controls.state import State
from workers.controls.then import Then
from workers.dead_letters.filter import Filter, parse_place


def switch(name: str, *places: str, then: Then = Then.HOLD, at: int = 0, **where: Any) -> Switch:
    return Switch(name, Filter(where=tuple(map(parse_place, places)), **where), then, Note("ann", at))


def job(*args: Any, actor: str = "work", queue: str = "default", **kwargs: Any) -> dramatiq.Message[None]:
    return dramatiq.Message(queue, actor, args, kwargs, {}, message_id="0123-abc")


def gate_with(*switches: Switch) -> Gate:
    gate = Gate()
    gate.apply(State(switches={one.id: one for one in switches}))
    return gate


def taken_out_by(found: Switch | None) -> str | None:
    return found.id if found else None


def test_a_paused_queue_is_paused_until_the_pause_ends() -> None:
    now = 10.0
    gate = Gate(lambda: now)
    assert not gate.is_paused("mail")
    gate.apply(State({"mail": Pause("mail", Note(until_ms=20_000)), "other": Pause("other")}))
    assert (gate.is_paused("mail"), gate.is_paused("other"), gate.is_paused("third")) == (True, True, False)
    now = 20.0
    assert (gate.is_paused("mail"), gate.is_paused("other")) == (False, True)


def test_it_is_open_while_nothing_is_decided() -> None:
    gate = Gate()
    seen = [gate.is_open]
    for state in (State({"mail": Pause("mail")}), State(), State(switches={"s": switch("s")}), State()):
        gate.apply(state)
        seen.append(gate.is_open)
    assert seen == [True, False, True, False, True]


@pytest.mark.parametrize(
    ("wanted", "matching", "others"),
    [
        (switch("s", actor="work"), job(), job(actor="other")),
        (switch("s", queue="mail"), job(queue="mail"), job()),
        (switch("s", ids=("0123",)), job(), None),
        (switch("s", text="ANN"), job({"to": ["ann@example.com"]}), job({"to": "bob"})),
        (switch("s", "args.0.todo.id=x"), job({"todo": {"id": "x"}}), job({"todo": {"id": "y"}})),
        (switch("s", "args.0.todo.id=5"), job({"todo": {"id": 5}}), job({"todo": {"id": 6}})),
        (switch("s", "args.1=true"), job(0, True), job(0, 1)),
        (switch("s", "kwargs.user.0=ann"), job(user=["ann"]), job(user="ann")),
        (switch("s", "args.0=null"), job(None), job()),
        (switch("s", "args.0.a=1", "args.0.b=2"), job({"a": 1, "b": 2}), job({"a": 1, "b": 3})),
        (switch("s", "args.0.a=1", actor="work"), job({"a": 1}), job({"a": 1}, actor="other")),
    ],
)
def test_a_switch_takes_out_the_jobs_that_its_filter_matches(
    wanted: Switch, matching: Any, others: Any
) -> None:
    gate = gate_with(wanted)
    assert taken_out_by(gate.switch_for(matching)) == "s"
    assert gate.counts == {"s": 1}
    assert others is None or gate.switch_for(others) is None


def test_of_several_one_that_holds_comes_first_and_then_the_oldest() -> None:
    gate = gate_with(
        switch("drop", actor="work", then=Then.DISCARD, at=1),
        switch("new", "args.0=1", at=3),
        switch("old", "args.0=1", at=2),
    )
    assert taken_out_by(gate.switch_for(job(1))) == "old"
    assert taken_out_by(gate.switch_for(job(2))) == "drop"


class Strange:
    """An argument of the application's own that cannot even be written."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_a_filter_that_raises_matches_nothing_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    gate = gate_with(
        switch("place", "args.0=1"), switch("second", "args.1=2"), switch("all", actor="other", at=2)
    )
    with caplog.at_level(logging.WARNING):
        assert gate.switch_for(job(Strange())) is None
        assert taken_out_by(gate.switch_for(job(Strange(), 2))) == "second", "others go on"
        assert taken_out_by(gate.switch_for(job(Strange(), actor="other"))) == "all"
    (told,) = [record for record in caplog.records if "match nothing" in record.message]
    assert "no text" in told.message


def test_an_actor_is_stopped_by_a_pause_of_its_queue_and_by_a_switch_that_may_match() -> None:
    assert not Gate().stops("mail", "work")
    gate = gate_with(switch("s", actor="work"))
    assert (gate.stops("mail", "work"), gate.stops("mail", "other")) == (True, False)
    gate = gate_with(switch("s", queue="mail"))
    assert (gate.stops("mail", "other"), gate.stops("other", "other")) == (True, False)
    gate.apply(State({"other": Pause("other")}))
    assert gate.stops("other", "work")


def test_what_is_no_decision_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    state = State().after([Consumed(key=b"queue/mail", value=b"{")])
    for _ in range(2):
        gate.apply(state)
    assert caplog.text.count("control ignored") == 1


class Counting(dict[str, str]):
    """A mapping that counts how often it is asked."""

    asked = 0

    def __contains__(self, key: object) -> bool:
        self.asked += 1
        return super().__contains__(key)

    def __getitem__(self, key: str) -> str:
        self.asked += 1
        return super().__getitem__(key)


@pytest.mark.parametrize(
    "make",
    [
        lambda number: switch(f"{number}", f"args.0.id={number}", actor="work"),
        lambda number: switch(f"{number}", f"args.0.field{number}=x"),
        lambda number: switch(f"{number}", "args.0.id=y", queue=f"queue{number}"),
    ],
    ids=["one place", "many places", "many queues"],
)
def test_a_hundred_switches_ask_a_job_no_more_than_one_does(make: Any) -> None:
    few, many = gate_with(make(0)), gate_with(*map(make, range(100)))
    counts = []
    for gate in (few, many):
        argument = Counting(id="none", title="Book flights")
        assert gate.switch_for(job(argument)) is None
        counts.append(argument.asked)
    assert counts[1] <= counts[0] + 1


class Lifting:
    """A job; while a switch looks at its arguments, all switches are lifted."""

    message_id, queue_name, actor_name = "0123-abc", "default", "work"
    kwargs: dict[str, Any] = {}  # noqa: RUF012 - as a job has it

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    @property
    def args(self) -> tuple[int]:
        self._gate.apply(State())
        return (1,)


def test_a_job_that_is_matched_while_its_switch_is_lifted_runs() -> None:
    gate = gate_with(switch("s", "args.0=1"))
    assert gate.switch_for(Lifting(gate)) is None
    assert not gate.has_unwritten()
    assert not gate.counts
