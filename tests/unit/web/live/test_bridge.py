"""A turn of the bridge that fails is logged, and the next one is done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.helpers.waiting import wait_for
from web.live import bridge as bridge_module
from web.live import follower as follower_module
from web.live.bridge import Bridge
from web.live.follower import Follower, Portion
from web.live.history import Historian
from web.live.views import Views
from workers import Cluster
from workers.errors import WorkersError

NOWHERE = Cluster(("127.0.0.1:1",))


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch) -> Bridge:
    """A bridge that follows nothing."""
    monkeypatch.setattr(bridge_module, "_TICK_S", 0.001)
    for part in (Follower, Historian):
        monkeypatch.setattr(part, "start", lambda _self: None)
        monkeypatch.setattr(part, "stop", lambda _self: None)
    return Bridge(NOWHERE, ["events"])


def failing_once(real: Callable[..., Any]) -> tuple[Callable[..., Any], list[int]]:
    """The same function, whose first call fails, and a list with an item for each call."""
    calls: list[int] = []

    def call(*args: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == 1:
            raise ValueError("fails once")
        return real(*args)

    return call, calls


def run_until(bridge: Bridge, begin: Callable[[], object], is_done: Callable[[], bool]) -> None:
    async def run() -> None:
        await bridge.start()
        begin()
        async with asyncio.timeout(5):
            while not is_done():
                await asyncio.sleep(0.001)
        await bridge.stop()

    asyncio.run(run())


def test_a_tick_that_fails_does_not_end_the_ticks(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tick, calls = failing_once(bridge.hub.tick)
    monkeypatch.setattr(bridge.hub, "tick", tick)
    run_until(bridge, lambda: None, lambda: len(calls) >= 3)
    assert "live.tick_failed" in caplog.text


def test_a_portion_that_fails_does_not_end_the_delivery_and_has_clients_load_anew(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub = bridge.hub
    advance, _ = failing_once(hub.advance)
    monkeypatch.setattr(hub, "advance", advance)
    begun: list[Sequence[int]] = []
    begin = hub.begin

    def note(epoch: bytes, offsets: Sequence[int]) -> None:
        begun.append(tuple(offsets))
        begin(epoch, offsets)

    monkeypatch.setattr(hub, "begin", note)

    def hand_over() -> None:
        listener = bridge._follower._listener
        listener.begin(b"epoch", (0,))
        for offset in (1, 2, 3):
            listener.advance(Portion(offsets=(offset,)))

    run_until(bridge, hand_over, lambda: hub._offsets == (3,))
    assert begun == [(0,), (1,)]
    assert "live.portion_failed" in caplog.text


def test_a_consumer_that_cannot_be_closed_does_not_end_the_follower(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[object] = []

    class Broken:
        def partitions_for_topic(self, _topic: str) -> None:
            raise WorkersError("away")

        def close(self) -> None:
            raise ValueError("cannot be closed")

    def connect(*_: object, **__: object) -> Broken:
        connected.append(Broken())
        return Broken()

    class Listener:
        is_watched = False

        def begin(self, epoch: bytes, offsets: Sequence[int]) -> None: ...
        def advance(self, portion: Portion) -> None: ...
        def stale(self, since: float | None) -> None: ...

    monkeypatch.setattr(follower_module, "connect_consumer", connect)
    monkeypatch.setattr(follower_module, "_RETRY_S", 0.001)
    before = set(threading.enumerate())
    follower = Follower(NOWHERE, ["events"], Views(), Listener())
    follower.start()
    wait_for(lambda: len(connected) >= 3)
    follower.stop()
    assert not set(threading.enumerate()) - before
