"""Frames that are written at once on a real connection of uvicorn, and what of its insides is relied upon."""

from __future__ import annotations

import asyncio
import gc
import inspect
import socket
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.server import ServerProtocol

from web.live.connections.at_once import Connection, write_at_once_of

Serve = Callable[[Any, Any, Any], Awaitable[None]]


async def _with_client(serve: Serve, talk: Callable[[ClientConnection], Awaitable[None]]) -> None:
    """Serve one WebSocket connection by an application while ``talk`` uses it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await serve(scope, receive, send)

    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, ws=Connection, ws_per_message_deflate=False, lifespan="off", log_config=None, loop="asyncio"
    )
    server = uvicorn.Server(config)
    with listening:
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup([listening])
        async with asyncio.timeout(30):
            async with connect(f"ws://127.0.0.1:{listening.getsockname()[1]}") as client:
                await talk(client)
            await server.shutdown([listening])


def test_frames_that_are_sent_and_written_in_turns_arrive_in_order() -> None:
    texts = [f"{number} é" * (1 + number % 3 * 100) for number in range(60)]

    async def serve(scope: Any, _receive: Any, send: Any) -> None:
        write = write_at_once_of(scope)
        assert write is not None
        assert not write("before the handshake")
        await send({"type": "websocket.accept"})
        for number, text in enumerate(texts):
            if number % 3:
                assert write(text)
            else:
                await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.close"})
        assert not write("after the end")

    received: list[str | bytes] = []

    async def talk(client: ClientConnection) -> None:
        received.extend([text async for text in client])

    asyncio.run(_with_client(serve, talk))
    assert received == texts


def test_uvicorn_has_the_insides_that_are_relied_upon() -> None:
    found: list[Any] = []

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        connection: Any = scope["extensions"]["live.write_at_once"]["write"].__self__
        assert connection.scope is scope
        found.append(connection.handshake_complete)
        await send({"type": "websocket.accept"})
        found.append(connection.handshake_complete)
        assert isinstance(connection.conn, ServerProtocol)
        connection.pause_writing()
        found.append(connection.write_at_once("not taken"))
        found.append(connection.writable.is_set())
        connection.resume_writing()
        found.append(connection.write_at_once("taken"))
        found.append(inspect.isgenerator(connection.conn.parser))
        await receive()

    async def talk(client: ClientConnection) -> None:
        assert await client.recv() == "taken"

    asyncio.run(_with_client(serve, talk))
    assert found == [False, True, False, False, True, True]


@pytest.mark.parametrize("is_lost", [False, True], ids=["closed", "lost"])
def test_the_memory_of_a_connection_is_free_without_a_collection(is_lost: bool) -> None:
    freed: list[weakref.ref[Any]] = []

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        connection: Any = scope["extensions"]["live.write_at_once"]["write"].__self__
        freed.extend([weakref.ref(connection), weakref.ref(connection.conn)])
        del connection
        await send({"type": "websocket.accept"})
        await receive()

    async def talk(client: ClientConnection) -> None:
        if is_lost:
            client.transport.abort()

    async def is_freed() -> bool:
        await _with_client(serve, talk)
        await asyncio.sleep(0)
        return [one() for one in freed] == [None, None]

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(is_freed())
    finally:
        gc.enable()
