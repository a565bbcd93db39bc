"""Who may connect, for how long, and what a client must not do."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.helpers.waiting import wait_for
from tests.integration.web.conftest import Publish, RunningBridge, StartBridge, titles, token_of
from web.live.bridge import Limits
from web.live.connections.at_once import Connection
from web.live.protocol import MAX_FRAME_BYTES, MAX_FRAMES_PER_S

ANA = "ana@example.com"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("no json", 4500),
        (b'{"type":"pong"}', 4500),
        ('{"type":"pong"}', 4500),
        ('{"type":"hello"}', 4500),
        ('{"type":"hello","token":"' + "x" * MAX_FRAME_BYTES + '"}', 4504),
        ("x" * 5 * MAX_FRAME_BYTES, 1009),
        ('{"type":"hello","token":"a.b.c"}', 4501),
    ],
)
def test_garbage_instead_of_hello_ends_the_connection_and_no_other(
    bridge: RunningBridge, publish: Publish, frame: str | bytes, code: int
) -> None:
    with bridge.client(ANA) as other, bridge.client(ANA) as client:
        other.connect()
        client.open()
        client.send(frame)
        assert client.read_to_the_end() == code
        if code != 1009:
            assert client.bye is not None
            assert (client.bye["code"], client.bye["again_after_ms"]) == (code, None)
            assert client.bye["why"]
        publish("one")
        assert titles(other.read_until(1)) == ["one"]


@pytest.mark.parametrize(
    "claims", [{"for_s": -60}, {"aud": "shop"}, {"email": None}], ids=["expired", "audience", "nobody"]
)
def test_a_wrong_token_is_refused(bridge: RunningBridge, claims: dict[str, Any]) -> None:
    with bridge.client(ANA, **claims) as client:
        client.open()
        client.hello()
        assert client.read_to_the_end() == 4501


def test_who_does_not_say_hello_is_sent_away(start_bridge: StartBridge) -> None:
    bridge = start_bridge(limits=Limits(hello_within_s=0.2))
    with bridge.client(ANA) as client:
        client.open()
        assert client.read_to_the_end() == 4001


def test_who_pings_and_reads_nothing_instead_of_hello_is_cut_off(start_bridge: StartBridge) -> None:
    bridge = start_bridge(limits=Limits(hello_within_s=5, last_frame_s=0.2))
    handshake = (
        f"GET /live HTTP/1.1\r\nHost: {bridge.address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: todo.v1\r\n\r\n"
    )
    pings = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 1_000
    deadline = time.monotonic() + 30
    host, _, port = bridge.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(handshake.encode())
        assert client.recv(12) == b"HTTP/1.1 101"
        wait_for(lambda: len(bridge.server.server_state.connections) == 1)
        with suppress(ConnectionError):
            while time.monotonic() < deadline:
                client.sendall(pings)
        wait_for(lambda: not bridge.server.server_state.connections)
        assert time.monotonic() < deadline


def test_who_takes_nothing_any_more_is_cut_off_after_the_time_for_a_last_frame(
    start_bridge: StartBridge,
) -> None:
    bridge = start_bridge(limits=Limits(hello_within_s=5, last_frame_s=0.2))
    with bridge.client(ANA) as client:
        client.open()
        [connection] = bridge.server.server_state.connections
        assert isinstance(connection, Connection)
        connection.loop.call_soon_threadsafe(connection.pause_writing)
        wait_for(lambda: not bridge.server.server_state.connections)
        assert client.read_to_the_end() == 1006


def test_too_many_frames_and_a_second_hello_end_the_connection(bridge: RunningBridge) -> None:
    with bridge.client(ANA) as talks, bridge.client(ANA) as repeats:
        talks.connect()
        with suppress(ConnectionClosed):  # the bridge need not wait for all of them
            for _ in range(2 * MAX_FRAMES_PER_S):
                talks.send({"type": "pong"})
        assert talks.read_to_the_end() == 4029
        repeats.connect()
        repeats.hello()
        assert repeats.read_to_the_end() == 4500


def test_a_token_that_ends_is_asked_for_and_a_new_one_goes_on(bridge: RunningBridge) -> None:
    with bridge.client(ANA, for_s=3) as renews, bridge.client(ANA, for_s=3) as does_not:
        renews.connect()
        does_not.connect()
        while not renews.others:
            assert renews.receive(5) is not None
        assert renews.others[0]["type"] == "refresh"
        renews.send({"type": "token", "token": token_of(ANA)})
        assert does_not.read_to_the_end() == 4002
        renews.send({"type": "token", "token": token_of("bob@example.com")})
        assert renews.read_to_the_end() == 4502


def test_a_user_with_too_many_tabs_keeps_those_that_are_open(
    start_bridge: StartBridge, publish: Publish
) -> None:
    bridge = start_bridge(limits=Limits(per_user=3))
    with ExitStack() as stack:
        tabs = [stack.enter_context(bridge.client(ANA)) for _ in range(3)]
        for tab in tabs:
            tab.connect()
        with bridge.client(ANA) as one_more, bridge.client("bob@example.com") as bob:
            one_more.open()
            one_more.hello()
            assert one_more.read_to_the_end() == 4503
            bob.connect()
        tabs.pop().disconnect()
        wait_for(lambda: bridge.bridge.hub.connections_of(ANA) == 2)
        tabs.append(stack.enter_context(bridge.client(ANA)))
        tabs[-1].connect()
        publish("one")
        assert [titles(tab.read_until(1)) for tab in tabs] == [["one"]] * 3


@pytest.mark.parametrize(
    ("limits", "options", "status"),
    [
        (Limits(per_address=1), {}, 429),
        (Limits(connections=1), {}, 503),
        (Limits(), {"origin": "https://evil.example.com"}, 403),
        (Limits(), {"subprotocols": None}, 400),
        (Limits(), {"origin": "https://todo.example.com"}, None),
    ],
)
def test_a_connection_too_many_or_from_elsewhere_is_refused_at_once(
    start_bridge: StartBridge, limits: Limits, options: dict[str, Any], status: int | None
) -> None:
    bridge = start_bridge(limits=limits)
    given = {"subprotocols": [Subprotocol("todo.v1")], "proxy": None} | options
    with bridge.client(ANA) as first:
        first.connect()
        if status is None:
            with connect(f"ws://{bridge.address}/live", **given):
                return
        with pytest.raises(InvalidStatus) as refused, connect(f"ws://{bridge.address}/live", **given):
            pass
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body or b"")["status"] == status


def test_a_client_that_reads_nothing_is_sent_away_and_the_others_get_everything(
    start_bridge: StartBridge, publish: Publish
) -> None:
    bridge = start_bridge(limits=Limits(last_frame_s=0.2))
    with bridge.client(ANA) as reads, bridge.client(ANA) as slow:
        reads.connect()
        slow.open(max_queue=1)
        slow.hello()
        wait_for(lambda: bridge.bridge.hub.connections_of(ANA) == 2)
        count = 0
        deadline = time.monotonic() + 60
        while not bridge.bridge.hub.counts.too_slow:
            assert time.monotonic() < deadline
            publish(*["x" * 10_000] * 50, description="y" * 10_000)
            count += 50
            reads.read_until(count)
        assert slow.read_to_the_end() in {4008, 1006}
        missed = count - len(slow.events)
        assert missed > 0
        cursor = slow.cursor
        assert cursor is not None


def test_a_record_that_nobody_can_read_is_skipped_and_counted(
    bridge: RunningBridge, publish: Publish, publish_raw: Any
) -> None:
    with bridge.client(ANA) as client:
        client.connect()
        publish_raw(b"garbage")
        publish_raw(None)
        publish_raw(
            b'{"specversion":"1.0","id":"1","source":"/x","type":"todo.created","data":{"todo":{"id":"1"}}}'
        )
        publish("one")
        assert titles(client.read_until(1)) == ["one"]
    assert bridge.bridge.hub.counts.skipped == 3
