"""Who runs is seen right by an operator whose clock is wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.records import Consumed
from workers import Cluster
from workers.controls import watch as watching
from workers.controls.watch import Watch
from workers.fleet.process import Process, encode
from workers.topics import Topics

TOPICS = Topics("todo")


class Topic:
    """The fleet topic: what is in it, and what comes next."""

    def __init__(self) -> None:
        self.there: list[Consumed] = []
        self.coming: list[Consumed] = []

    def reader(self, *_: Any) -> Topic:
        return self

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def read_to_end(self) -> Iterator[Consumed]:
        yield from self.there

    def read(self, timeout_ms: int) -> list[Consumed]:
        assert timeout_ms >= 0
        coming, self.coming = self.coming, []
        return coming


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    topic = Topic()
    monkeypatch.setattr(watching, "TopicReader", topic.reader)
    monkeypatch.setattr(watching, "_LISTEN_S", 0.01)
    return topic


def report(ago_s: float) -> Consumed:
    """A report that was written so long ago, by the own clock."""
    record = encode(Process("a", "host:1", "3", 0))
    at_ms = int((time.time() - ago_s) * 1000)
    return Consumed(TOPICS.fleet, timestamp=at_ms, key=record.key, value=record.value)


def seen(topic: Topic) -> tuple[int, int]:
    """How many processes run, and how many are silent."""
    with Watch(Cluster(("nowhere:1",)), TOPICS) as watch:
        return len(watch.processes()), len(watch.silent())


def test_a_process_runs_that_reports_though_the_own_clock_is_ahead(topic: Topic) -> None:
    topic.there, topic.coming = [report(62)], [report(60)]
    assert seen(topic) == (1, 0)


def test_a_process_is_silent_that_says_nothing_more(topic: Topic) -> None:
    topic.there = [report(62)]
    assert seen(topic) == (0, 1)
    topic.there = [report(62), report(-60)]
    assert seen(topic) == (1, 0), "the own clock is behind"
