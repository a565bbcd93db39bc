"""What a client can have an HTTP connection keep, and for how long, before anybody knows who it is."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from tests.helpers.in_memory_connection import Clock, Transport, turns
from tests.helpers.waiting import wait_for
from web.live.bridge import Bridge
from web.live.connections.at_once import Connection
from web.running.http_protocol import MAX_HEAD_BYTES, MAX_PIPELINED, HttpProtocol
from web.running.server import Server, listen
from workers import Cluster

GET = b"GET /todos HTTP/1.1\r\nHost: todo\r\n\r\n"
POST = b"POST /events HTTP/1.1\r\nHost: todo\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = b"POST /events HTTP/1.1\r\nHost: todo\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = (
    b"GET /live HTTP/1.1\r\nHost: todo\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class App:
    """Answers each request, once it may, when it has all of its body."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.answered = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await receive()
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await self.may_answer.wait()
        await send({"type": "http.response.body", "body": b""})
        self.answered += 1


class Client:
    """Sends bytes to a connection, and passes its time."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Clock)
        self.app, self.transport, self._clock = App(), Transport(), loop
        config = uvicorn.Config(
            self.app, http=HttpProtocol, ws=Connection, log_config=None, timeout_keep_alive=300
        )
        config.load()
        self.connection = self.transport.connection = HttpProtocol(config, ServerState(), {})
        self.connection.connection_made(self.transport)
        self.transport.set_protocol = self._upgrade  # type: ignore[method-assign]

    def _upgrade(self, protocol: Any) -> None:
        self.transport.connection = protocol

    async def send(self, data: bytes) -> None:
        self.transport.connection.data_received(data)
        await turns()

    async def wait(self, seconds: float) -> None:
        self._clock.now += seconds
        await turns()

    @property
    def is_cut_off(self) -> bool:
        return self.transport.is_closing()

    @property
    def status(self) -> bytes:
        return self.transport.written[:12].removeprefix(b"HTTP/1.1 ")


Talk = Callable[[Client], Awaitable[None]]


def _talk(talk: Talk) -> None:
    async def run() -> None:
        client = Client()
        await talk(client)
        client.app.may_answer.set()
        client.transport.abort()
        await turns()

    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(run())


@pytest.mark.parametrize("size", [1_000, 100_000, 1_000_000], ids=["by-1000", "by-100000", "at-once"])
@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"GET /todos HTTP/1.1\r\n", b"a:b\r\n"),
        (b"GET /todos HTTP/1.1\r\na: ", b"bbbbb"),
        (b"GET /todos HTTP/1.1\r\n", b"aaaaa"),
        (b"GET /todos HTTP/1.1\r\na:", b"     "),
        (b"GET /", b"todos"),
        (b"", b"\r\n"),
        (CHUNKED + b"0\r\n", b"a:b\r\n"),
        (CHUNKED + b"0\r\na: ", b"bbbbb"),
    ],
    ids=["headers", "value", "name", "spaces", "url", "empty-lines", "trailers", "trailer"],
)
def test_a_head_without_an_end_is_refused(start: bytes, piece: bytes, size: int) -> None:
    async def talk(client: Client) -> None:
        data = start + piece * (1_000_000 // len(piece))
        for begin in range(0, len(data), size):
            if not client.is_cut_off:
                await client.send(data[begin : begin + size])
        assert client.is_cut_off
        assert client.status == b"400"

    _talk(talk)


def test_a_head_of_many_headers_counts_as_more_than_its_text() -> None:
    async def talk(client: Client) -> None:
        await client.send(b"GET /todos HTTP/1.1\r\n" + b"a:b\r\n" * (MAX_HEAD_BYTES // 32))
        assert client.status == b"400"

    _talk(talk)


def test_a_large_head_with_a_long_token_is_answered_and_the_next_one_counts_anew() -> None:
    async def talk(client: Client) -> None:
        large = GET[:-2] + b"Authorization: Bearer " + b"x" * 12_000 + b"\r\n" + b"a: b\r\n" * 100 + b"\r\n"
        for number in range(1, 20):
            for begin in range(0, len(large), 1_000):
                await client.send(large[begin : begin + 1_000])
            assert client.app.answered == number
        assert not client.is_cut_off

    _talk(talk)


def test_a_large_body_is_no_head() -> None:
    async def talk(client: Client) -> None:
        await client.send(POST.replace(b"1000", b"1000000") + b"x" * 400_000)
        await client.send(b"x" * 600_000 + GET)
        await client.send(CHUNKED)
        for _ in range(100):
            await client.send(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        await client.send(b"0\r\n\r\n")
        assert client.app.answered == 3
        assert not client.is_cut_off

    _talk(talk)


@pytest.mark.parametrize("began_by", [b"", b"GE", GET[:-2], b"\r\n", GET + b"G", GET + b"\r\n"], ids=repr)
def test_who_sends_no_head_within_10_s_is_cut_off(began_by: bytes) -> None:
    async def talk(client: Client) -> None:
        if began_by.startswith(GET):
            await client.send(GET)
            await client.wait(100)
        if rest := began_by.removeprefix(GET):
            await client.send(rest)
        await client.wait(9)
        assert not client.is_cut_off
        if began_by.endswith(GET[:-2]):
            await client.send(b"a: b\r\n")
        await client.wait(2)
        assert client.is_cut_off

    _talk(talk)


def test_a_head_that_begins_late_has_its_time() -> None:
    async def talk(client: Client) -> None:
        await client.wait(9)
        await client.send(GET[:10])
        await client.wait(9)
        await client.send(GET[10:])
        assert client.app.answered == 1

    _talk(talk)


def test_a_connection_without_a_request_is_kept_for_as_long_as_uvicorn_does() -> None:
    async def talk(client: Client) -> None:
        for number in range(1, 4):
            await client.send(GET)
            assert client.app.answered == number
            await client.wait(299)
            assert not client.is_cut_off
        await client.wait(2)
        assert client.transport.is_closing()

    _talk(talk)


def test_a_slow_body_and_a_slow_answer_may_take_long() -> None:
    async def talk(client: Client) -> None:
        client.app.may_answer.clear()
        await client.send(POST)
        for _ in range(1_000):
            await client.send(b"x")
            await client.wait(60)
        await client.wait(3_600)
        await client.send(b"\r\n" + GET[:3])  # of the next request, while this one is not answered
        await client.wait(3_600)
        client.app.may_answer.set()
        await client.send(GET[3:])
        assert client.app.answered == 2
        assert not client.is_cut_off

    _talk(talk)


def test_a_websocket_may_take_as_long_as_it_likes() -> None:
    async def talk(client: Client) -> None:
        await client.send(UPGRADE)
        assert client.status == b"101"
        await client.wait(3_600)
        await client.send(Frame(Opcode.PING, b"").serialize(mask=True))
        assert not client.is_cut_off

    _talk(talk)


def test_only_so_many_requests_wait_for_the_one_before_them() -> None:
    async def talk(client: Client) -> None:
        client.app.may_answer.clear()
        await client.send(GET * (1 + MAX_PIPELINED))
        assert not client.is_cut_off
        client.app.may_answer.set()
        await turns()
        await turns()
        client.app.may_answer.clear()
        await client.send(GET * 10_000)
        assert client.transport.is_closing()
        assert len(client.connection.pipeline) == MAX_PIPELINED

    _talk(talk)


def test_a_server_cuts_off_who_sends_half_a_request_or_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HttpProtocol, "head_within_s", 0.2)
    server = Server(FastAPI(), Bridge(Cluster(("127.0.0.1:1",)), ["events"]), drain=timedelta(0))
    listening = listen("127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    try:
        wait_for(lambda: server.started)
        # The time may have passed before anything was sent.
        with (
            socket.create_connection(listening.getsockname(), timeout=30) as client,
            suppress(ConnectionError),
        ):
            client.sendall(b"GET /to")
            assert client.recv(100) == b""
        monkeypatch.setattr(HttpProtocol, "head_within_s", 10.0)
        with socket.create_connection(listening.getsockname(), timeout=30) as client:
            with suppress(ConnectionError):
                client.sendall(b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 200_000)
            with suppress(ConnectionError):
                assert client.recv(100).startswith(b"HTTP/1.1 400 ")
        wait_for(lambda: not server.server_state.connections)
    finally:
        server.should_exit = True
        thread.join(60)
