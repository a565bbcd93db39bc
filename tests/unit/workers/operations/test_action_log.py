"""The log of actions finds its topic when another process makes it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from unittest.mock import Mock

import pytest

from tests.helpers.records import Consumed
from workers.kafka import TopicPartition
from workers.operations import action_log
from workers.operations.action_log import ActionLog, Chain


def test_a_topic_that_another_process_makes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[Consumed] = []
    opened: list[bool] = []

    class Reader:
        def open(self) -> None:
            self.has_topic = bool(log)
            opened.append(self.has_topic)

        def close(self) -> None: ...
        def sizes(self) -> Mapping[TopicPartition, tuple[int, int]]:
            return {TopicPartition("t", 0): (0, len(log))} if self.has_topic else {}

        def read(self, _timeout_ms: int) -> list[Consumed]:
            return []

        def read_to_end(self) -> Iterator[Consumed]:
            return iter(log)

    now = 100.0
    monkeypatch.setattr(action_log, "TopicReader", lambda *_: Reader())
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with ActionLog(Mock(), Mock(), Mock()) as actions:
        log.append(Consumed("t", value=Chain().value("ana", "pause", {}, 1)))
        actions.follow(0)
        assert opened == [False]  # not at each step
        now += 10
        actions.follow(0)
        assert [action.who for action in actions.chain.last] == ["ana"]
        now += 10
        actions.follow(0)
    assert opened == [False, True]
