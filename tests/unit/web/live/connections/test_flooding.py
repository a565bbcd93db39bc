"""What a client can make a connection of uvicorn keep, or answer, while nobody knows who it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from tests.helpers.in_memory_connection import Clock, Transport, turns
from web.live.connections.at_once import Connection
from web.live.protocol import MAX_FRAMES_PER_S

HANDSHAKE = (
    "GET /live HTTP/1.1\r\nHost: todo\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n{}\r\n"
)
PING = Frame(Opcode.PING, b"x" * 125).serialize(mask=True)


Talk = Callable[[Any, Transport, Clock], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]


async def _accepts(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


def _talk(talk: Talk, app: App = _accepts, *, headers: str = "") -> Transport:
    """Connect to an application, and have ``talk`` send what it likes."""

    async def run() -> Transport:
        config = uvicorn.Config(app, ws=Connection, ws_per_message_deflate=False, log_config=None)
        config.load()
        loop, transport = asyncio.get_running_loop(), Transport()
        assert isinstance(loop, Clock)
        connection = transport.connection = Connection(config, ServerState(), {})
        connection.connection_made(transport)
        connection.data_received(HANDSHAKE.format(headers).encode())
        await turns()
        await talk(connection, transport, loop)
        await turns()
        return transport

    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(run())


@pytest.mark.parametrize(
    "frame",
    [
        PING,
        Frame(Opcode.PONG, b"").serialize(mask=True),
        Frame(Opcode.CONT, b"", fin=False).serialize(mask=True),
    ],
    ids=["pings", "pongs", "pieces"],
)
def test_a_client_that_floods_with_frames_that_no_application_sees_is_cut_off(frame: bytes) -> None:
    async def flood(connection: Any, transport: Transport, _clock: Clock) -> None:
        connection.data_received(Frame(Opcode.TEXT, b"", fin=False).serialize(mask=True))
        for _ in range(2_000):
            if transport.is_closing():
                break
            connection.data_received(frame)
        assert len(connection.frames) <= MAX_FRAMES_PER_S + 1

    transport = _talk(flood)
    assert transport.is_aborted
    assert len(transport.written) < 10_000
    assert transport.connection.disconnected


def test_many_pings_that_come_in_one_read_are_no_more_than_that_read() -> None:
    async def flood(connection: Any, _transport: Transport, _clock: Clock) -> None:
        connection.data_received(PING * 2_000)

    transport = _talk(flood)
    assert transport.is_aborted
    assert transport.written_after_pause == b""


def test_the_pings_of_an_honest_client_are_answered_for_hours() -> None:
    async def keep_alive(connection: Any, transport: Transport, clock: Clock) -> None:
        for number in range(2_000):
            clock.now += 20
            sent = len(transport.written)
            connection.data_received(Frame(Opcode.PING, b"%d" % number).serialize(mask=True))
            assert transport.written[sent:].endswith(b"%d" % number)
            transport.written = b""
        assert not transport.is_closing()

    _talk(keep_alive)


def test_pings_are_answered_when_the_client_has_taken_what_was_sent_before() -> None:
    async def talk(connection: Any, transport: Transport, _clock: Clock) -> None:
        transport.write(b"x" * 70_000)
        for _ in range(3):
            connection.data_received(PING)
        assert transport.written_after_pause == b""
        transport.written = b""
        connection.resume_writing()
        assert transport.written.count(b"x" * 125) == 3
        transport.written = b""
        connection.resume_writing()
        assert transport.written == b""
        assert not transport.is_closing()

    _talk(talk)


def test_a_client_that_pings_at_a_fair_pace_and_reads_nothing_is_cut_off() -> None:
    async def talk(connection: Any, transport: Transport, clock: Clock) -> None:
        transport.write(b"x" * 70_000)
        for _ in range(100):
            clock.now += 1
            if not transport.is_closing():
                connection.data_received(PING)

    transport = _talk(talk)
    assert transport.is_aborted
    assert transport.written_after_pause == b""


def test_a_client_that_takes_nothing_is_cut_off_when_the_application_is_done_with_it() -> None:
    async def talk(_connection: Any, transport: Transport, _clock: Clock) -> None:
        transport.write(b"x" * 70_000)
        is_done.set()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await is_done.wait()

    is_done = asyncio.Event()
    transport = _talk(talk, app)
    assert transport.is_aborted
    assert transport.connection.disconnected


def test_frames_that_come_in_one_read_do_not_all_wait_for_the_application() -> None:
    async def flood(connection: Any, _transport: Transport, _clock: Clock) -> None:
        connection.data_received(Frame(Opcode.TEXT, b"").serialize(mask=True) * 20_000)
        assert MAX_FRAMES_PER_S < connection.queue.qsize() < 200

    _talk(flood)


def test_a_handshake_with_too_many_headers_is_refused() -> None:
    async def say_nothing(*_: object) -> None:
        pass

    transport = _talk(say_nothing, headers="a: b\r\n" * 500)
    assert transport.is_closing()
    # Older versions of websockets only end the connection.
    assert transport.written[:13] in {b"", b"HTTP/1.1 431 "}
