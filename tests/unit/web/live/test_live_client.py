"""The client of the tests keeps the rules of docs/live.md."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.helpers.live_client import Frame, LiveClient


class Frames:
    """A connection that brings these frames."""

    def __init__(self, *frames: Frame) -> None:
        self._frames: Iterator[Frame] = iter(frames)

    def recv(self, timeout_s: float) -> str:
        return json.dumps(next(self._frames))


def event(o: int, name: str) -> Frame:
    return {"type": "event", "c": name, "e": [{"p": 0, "o": o, "id": name}]}


@pytest.mark.parametrize(
    ("between", "shown"),
    [
        ({"type": "resync", "why": "epoch", "cursor": "r", "epoch": "e1"}, ["one", "two"]),
        ({"type": "welcome", "cursor": None, "epoch": "e2"}, ["one", "two"]),
        ({"type": "welcome", "cursor": None, "epoch": "e1"}, ["one"]),
    ],
)
def test_it_shows_events_below_those_it_has_seen_once_the_log_began_anew(
    between: Frame, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = LiveClient("ws://nowhere", "token")
    first = {"type": "welcome", "cursor": "w", "epoch": "e1"}
    monkeypatch.setattr(client, "_socket", Frames(first, event(7, "one"), between, event(3, "two")))
    for _ in range(4):
        client.receive(0)
    assert [one["id"] for one in client.events] == shown
