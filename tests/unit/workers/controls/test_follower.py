"""A worker applies what is decided before it says so, and keeps what it applied last while it cannot read."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from typing import Any

import dramatiq
import pytest

from tests.helpers.records import Consumed
from tests.helpers.waiting import wait_for
from workers import Cluster
from workers.controls import follower as following
from workers.controls.controls import Change, Confirmation, confirmation
from workers.controls.decision import Note, Pause, Switch, encode, ending
from workers.controls.follower import Follower
from workers.controls.gate import Gate
from workers.controls.then import Then
from workers.dead_letters.filter import Filter
from workers.errors import KafkaUnreachable, NotAuthorized
from workers.fleet.process import STALE_S, Process


def paused(queue: str, offset: int) -> Consumed:
    record = encode(Pause(queue))
    return Consumed("control", 0, offset, key=record.key, value=record.value)


class Topic:
    """A control topic: what is in it, what comes, and the error of whoever reads it."""

    def __init__(self) -> None:
        self.there: list[Consumed] = []
        self.coming: deque[Consumed] = deque()
        self.error: Exception | None = None
        self.opened = 0

    def reader(self, *_: Any, **__: Any) -> Topic:
        return self

    def open(self) -> None:
        self.opened += 1
        if self.error is not None:
            raise self.error

    def require_topics(self) -> None:
        pass

    def read_to_end(self) -> list[Consumed]:
        return self.there

    def position(self, _topic: str) -> int:
        return len(self.there)

    def read(self, timeout_ms: int) -> list[Consumed]:
        assert timeout_ms == 0
        if self.error is not None:
            raise self.error
        # One at a time: the test adds to it meanwhile.
        coming = [self.coming.popleft() for _ in range(len(self.coming))]
        self.there += coming
        return coming

    def wait(self, _timeout_s: float) -> None:
        threading.Event().wait(0.002)

    def wake(self) -> None:
        pass

    def close(self) -> None:
        pass


class Reports:
    """What is reported, with the queues that were paused at that moment."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.made: list[tuple[int | None, list[str]]] = []

    def begin(self) -> None:
        self.report(None)

    def report(self, applied: int | None) -> None:
        self.made.append((applied, list(self.gate.state.pauses)))

    def end(self) -> None:
        self.made.append((-1, []))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> tuple[Topic, Reports, Follower]:
    topic, gate = Topic(), Gate()
    monkeypatch.setattr(following, "TopicReader", topic.reader)
    monkeypatch.setattr(following, "_RESTART_S", 0.01)
    reports = Reports(gate)
    return topic, reports, Follower(Cluster(("nowhere:1",)), "control", gate, reports)  # type: ignore[arg-type]


def test_a_report_never_says_more_than_is_applied(world: tuple[Topic, Reports, Follower]) -> None:
    topic, reports, follower = world
    topic.there = [paused("a", 0)]
    follower.load()
    assert reports.made == [(None, [])], "it is seen before it reads"
    assert reports.gate.is_paused("a")
    follower.start()
    wait_for(lambda: (1, ["a"]) in reports.made)
    topic.coming.extend([paused("b", 1), paused("c", 2)])
    wait_for(lambda: (3, ["a", "b", "c"]) in reports.made)
    follower.stop()
    follower.join(10)
    assert reports.made[-1] == (-1, [])
    assert topic.opened == 1


def test_a_lift_is_applied_once_the_letters_of_what_the_switch_holds_are_written(
    world: tuple[Topic, Reports, Follower],
) -> None:
    topic, reports, follower = world
    switch = Switch("3f", Filter(actor="work"), Then.HOLD)
    set_, lifted = encode(switch), ending(switch.subject, Note())
    topic.there = [Consumed("control", 0, 0, key=set_.key, value=set_.value)]
    follower.load()
    follower.start()
    wait_for(lambda: (1, []) in reports.made)
    gate = reports.gate
    found = gate.switch_for(dramatiq.Message("default", "work", (), {}, {}))
    assert found is not None
    assert found.id == switch.id
    topic.coming.append(Consumed("control", 0, 1, key=lifted.key, value=lifted.value))
    wait_for(lambda: not gate.state.switches)
    topic.coming.append(paused("a", 2))
    wait_for(lambda: gate.is_paused("a"))
    assert {applied for applied, _ in reports.made} == {None, 1}
    gate.written(switch.id)
    wait_for(lambda: reports.made[-1] == (3, ["a"]))
    follower.stop()
    follower.join(10)


def test_while_it_cannot_read_what_it_applied_last_stays(
    world: tuple[Topic, Reports, Follower], caplog: pytest.LogCaptureFixture
) -> None:
    topic, reports, follower = world
    topic.there = [paused("a", 0)]
    follower.load()
    topic.error = KafkaUnreachable("away")
    follower.start()
    wait_for(lambda: topic.opened > 2)
    assert reports.gate.is_paused("a")
    assert {applied for applied, _ in reports.made} <= {None, 1}
    topic.there, topic.error = [*topic.there, paused("b", 1)], None
    wait_for(lambda: (2, ["a", "b"]) in reports.made)
    follower.stop()
    follower.join(10)
    assert "what was applied last stays" in caplog.text


def test_a_missing_right_is_told_once_and_what_kafka_cannot_say_at_the_start_ends_it(
    world: tuple[Topic, Reports, Follower], caplog: pytest.LogCaptureFixture
) -> None:
    topic, reports, follower = world
    topic.error = NotAuthorized("Read on control")
    follower.load()
    follower.start()
    wait_for(lambda: topic.opened == 2)
    follower.stop()
    follower.join(10)
    assert caplog.text.count("Read on control") == 1
    assert not reports.gate.is_paused("a")
    topic.error = KafkaUnreachable("away")
    with pytest.raises(KafkaUnreachable):
        follower.load()


class Seen:
    """A fleet as somebody sees it."""

    def __init__(self, *processes: Process) -> None:
        self._all = processes

    def processes(self, now_ms: float) -> list[Process]:
        return [one for one in self._all if not one.is_silent(now_ms)]

    def silent(self, now_ms: float) -> list[Process]:
        return [one for one in self._all if one.is_silent(now_ms)]


def test_those_that_have_not_applied_a_change_are_named_and_the_silent_apart() -> None:
    one = Process("a", "host:1", "3", 0, applied=8, reported_ms=1_000)
    behind, starting = replace(one, worker="host:2", applied=7), replace(one, worker="host:3", applied=None)
    dead = replace(one, worker="host:4", applied=0, reported_ms=900 - int(STALE_S * 1000))
    seen: Any = Seen(one, behind, starting, dead, replace(dead, worker="host:5", applied=8))
    found = confirmation(seen, Change("queue/a", 7, 1_000), 1_000)
    assert found == Confirmation(1, 3, ("host:2", "host:3"), ("host:4",))
    assert not found.is_complete
    assert str(found) == "1 of 3 workers have confirmed"
    assert Confirmation(1, 1).is_complete
    assert not Confirmation(1, 1, silent=("host:4",)).is_complete, "it may stand still and go on"
    assert Confirmation(1, 1, silent=("host:4",), ignores_silent=True).is_complete
    assert str(Confirmation(1, 1)) == "1 of 1 worker has confirmed"
    assert "no worker runs" in str(Confirmation(0, 0))
