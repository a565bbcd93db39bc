"""Others hear of an action also while it only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest

from workers import Cluster
from workers.dead_letters import selection
from workers.dead_letters.index import lookup
from workers.dead_letters.reader import Entry
from workers.dead_letters.resolving import Resolution
from workers.dead_letters.selection import Picked, Search, Selection
from workers.operations.dead_letters import act, discarding

ONE = Selection([Picked(1, 0, 7, "m", "kind")])


def test_it_is_heard_of_while_the_whole_topic_is_read_before_the_first_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reads(_cluster: object, _topic: str, progress: Callable[[int, int], object]) -> Iterator[Entry]:
        progress(1_000, 2_000)
        progress(2_000, 2_000)
        return iter(())

    monkeypatch.setattr(selection, "unresolved", reads)
    assert waits(Search(Mock(), "t")) == [0.0, 0.0]


def test_it_is_heard_of_while_letters_are_read_that_others_have_resolved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = Mock()
    reader.return_value.__enter__ = lambda _: Mock(read_at=lambda *_: [Mock(key=None)] * 3)
    reader.return_value.__exit__ = lambda *_: None
    monkeypatch.setattr(lookup, "TopicReader", reader)
    assert waits(Search(Mock(), "t", letters=lookup.IndexLetters(Cluster(), "t", Mock()))) == [0.0] * 3


def waits(search: Search) -> list[float]:
    found: list[float] = []
    broker: Any = Mock()
    act(broker, search, ONE, discarding(), Resolution(), wait=found.append)
    return found
