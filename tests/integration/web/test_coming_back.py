"""What clients get that come back: what they missed, from memory or from the log, or `resync`."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import pytest

from tests.helpers.live_client import LiveClient
from tests.helpers.waiting import wait_for
from tests.integration.web.conftest import Publish, RunningBridge, StartBridge, titles
from web.live.bridge import Limits
from web.live.cursor import Cursor, unpack
from workers import Cluster
from workers.errors import WorkersError
from workers.kafka import connect_admin, create_missing_topics
from workers.topics import TopicSpec


def away(bridge: RunningBridge, publish: Publish, *missed: str, user: str = "ana@example.com") -> LiveClient:
    """A client that has seen one event and then missed some."""
    client = bridge.client(user)
    with client:
        client.connect()
        publish("seen", owner=user)
        client.read_until(1)
    publish(*missed, owner=user)
    return client


def test_what_was_missed_comes_from_memory(bridge: RunningBridge, publish: Publish) -> None:
    with away(bridge, publish, "one", "two") as client:
        assert client.connect()["resumed"]
        publish("three")
        assert titles(client.read_until(4)) == ["seen", "one", "two", "three"]
    assert bridge.bridge.hub.counts.scanned == 0


def test_what_was_missed_longer_ago_comes_from_the_log_by_one_scan_for_all(
    start_bridge: StartBridge, publish: Publish
) -> None:
    bridge = start_bridge(limits=Limits(ring_bytes=1_000))
    users = [f"user-{number}@example.com" for number in range(5)]
    clients = [away(bridge, publish, "one", "two", user=user) for user in users]
    publish(*map(str, range(10)), owner="bob@example.com")
    hub = bridge.bridge.hub
    wait_for(lambda: hub.counts.events == 25)
    assert not hub.ring.covers(unpack(clients[0].cursor or "").offsets)
    with ExitStack() as stack:
        for client in clients:
            stack.enter_context(client).open()
            client.hello()
        for client in clients:
            assert titles(client.read_until(3)) == ["seen", "one", "two"]
            assert client.welcome["resumed"]
        assert hub.counts.scanned == 5
        publish("three", owner=users[0])
        assert titles(clients[0].read_until(4))[-1] == "three"


def test_a_client_goes_on_at_a_bridge_that_was_not_there_yet(
    bridge: RunningBridge, start_bridge: StartBridge, publish: Publish
) -> None:
    client = away(bridge, publish, "one", "two")
    other = start_bridge()
    client.url = f"ws://{other.address}/live"
    with client:
        assert client.connect()["resumed"]
        assert titles(client.read_until(3)) == ["seen", "one", "two"]
    assert other.bridge.hub.counts.scanned == 1


def test_who_was_away_for_too_long_loads_anew_and_goes_on(
    start_bridge: StartBridge, publish: Publish
) -> None:
    bridge = start_bridge(limits=Limits(ring_bytes=1_000, resume=timedelta(0)))
    client = away(bridge, publish, *map(str, range(8)))
    wait_for(lambda: bridge.bridge.hub.counts.events == 9)
    with client:
        assert client.connect()["cursor"] is None
        publish("after")
        assert titles(client.read_until(2)) == ["seen", "after"]
    assert client.resyncs == ["too-old"]


@pytest.mark.parametrize("why", ["cursor", "epoch", "future"])
def test_a_cursor_that_says_nothing_here_means_to_load_anew(
    start_bridge: StartBridge, publish: Publish, why: str
) -> None:
    bridge = start_bridge(limits=Limits(ahead_s=0.1))
    client = away(bridge, publish)
    seen = unpack(client.cursor or "")
    client.cursor = {
        "cursor": "garbage!",
        "epoch": Cursor(b"other", seen.offsets).pack(),
        "future": Cursor(seen.epoch, tuple(offset + 1_000 for offset in seen.offsets)).pack(),
    }[why]
    with client:
        assert not client.connect()["resumed"]
        publish("after")
        assert titles(client.read_until(2)) == ["seen", "after"]
    assert client.resyncs == [why]


def test_topics_that_are_made_anew_are_told_to_clients_that_stay_connected(
    bridge: RunningBridge, publish: Publish, cluster: Cluster, topics: list[str]
) -> None:
    with bridge.client("ana@example.com") as client:
        client.connect()
        publish("before")
        client.read_until(1)
        with connect_admin(cluster) as admin:
            admin.delete_topics([topics[0]])

        def is_made() -> bool:
            try:
                return bool(create_missing_topics(cluster, [TopicSpec(topics[0], 2)]))
            except WorkersError:
                return False

        wait_for(lambda: is_made() or bridge.bridge.hub.counts.resynced)
        while not client.resyncs:
            assert client.receive(30) is not None
        assert client.resyncs == ["epoch"]
        publish("after")
        assert titles(client.read_until(2, timeout_s=30)) == ["before", "after"]


def test_a_bridge_that_stops_sends_its_clients_away_one_after_the_other(start_bridge: StartBridge) -> None:
    bridge = start_bridge(drain_s=3.0)
    with ExitStack() as stack:
        clients = [stack.enter_context(bridge.client(f"user-{n}@example.com")) for n in range(5)]
        for client in clients:
            client.connect()

        def end_of(client: LiveClient) -> float:
            assert client.read_to_the_end() == 4000
            return time.monotonic()

        with ThreadPoolExecutor(len(clients)) as reading:  # each sees its own end, in whatever order they are
            ends = reading.map(end_of, clients)
            bridge.server.should_exit = True
            in_order = sorted(ends)
        for client in clients:
            assert client.bye is not None
            assert 200 <= client.bye["again_after_ms"] <= 2_000
        assert in_order[-1] - in_order[0] > 0.3
    bridge.stop()
