"""Clients that come back with their cursors: after the kill of their bridge, and after an hour offline."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable

import uvloop

from ...errors import NotMeasured
from ...web_server import cpu_s, free_port
from .client import Client, ready_for
from .load import SINGLE, Writer, hello, served

#: How many clients connect at a time.
_AT_ONCE = 100
_PATIENCE_S = 120.0


def killed(address: str, namespace: str, connections: int, missed: int) -> dict[str, float]:
    """Return how long it takes from the kill until all are back and have what they missed.

    Raises NotMeasured if an event is lost, or is shown twice.
    """
    ready_for(connections)
    return uvloop.run(_killed(address, namespace, connections, missed))


def offline(address: str, namespace: str, connections: int, users: int, missed: int) -> dict[str, float]:
    """Return how long it takes until all have what they missed, once they begin to come back.

    ``missed`` events are published meanwhile for ``users``, of whom the clients are some. Raises NotMeasured
    if an event is lost, or is shown twice.
    """
    ready_for(connections)
    return uvloop.run(_offline(address, namespace, connections, users, missed))


async def _offline(
    address: str, namespace: str, connections: int, users: int, missed: int
) -> dict[str, float]:
    port = free_port()
    people = People(port, connections)
    with served("chatbot-bridge", address, namespace, port):
        await people.connect()
    writer, expected = Writer(address, namespace), 0
    for number in range(missed):
        user = random.randrange(users)  # noqa: S311
        expected += user < connections
        writer.to_one(user, number)
    writer.close()
    with served("chatbot-bridge", address, namespace, port) as (_, process):
        busy, began = cpu_s(process), time.perf_counter()
        await people.connect()
        await people.wait_for(expected)
        took_s = time.perf_counter() - began
        busy_s = cpu_s(process) - busy
        people.close()
    return {"back_s": took_s, "event_cpu_us": 1e6 * busy_s / missed}


async def _killed(address: str, namespace: str, connections: int, missed: int) -> dict[str, float]:
    port = free_port()
    people = People(port, connections)
    with served("bridge", address, namespace, port):
        writer = Writer(address, namespace)
        await people.connect()
    began = time.perf_counter()
    for number in range(missed):
        writer.to_one(random.randrange(connections), number)  # noqa: S311
    writer.close()
    with served("bridge", address, namespace, port):
        await people.connect()
        await people.wait_for(missed)
        took_s = time.perf_counter() - began
        people.close()
    return {"back_s": took_s}


class People:
    """Clients that keep their cursor over connections."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._cursors: list[str | None] = [None] * count
        self._clients: dict[int, Client] = {}
        self._welcomed = 0
        #: How often each event was shown, by its number.
        self._shown: Counter[int] = Counter()

    async def connect(self) -> None:
        """Connect all, and wait until all are welcome."""
        self._clients, self._welcomed = {}, 0
        room = asyncio.Semaphore(_AT_ONCE)

        async def connect(user: int) -> None:
            async with room:
                await self._connect(user)

        await asyncio.gather(*map(connect, range(len(self._cursors))))
        await self._until(lambda: self._welcomed, len(self._cursors), "are welcome")

    async def reconnect(self, user: int) -> None:
        """Cut a connection, and make another, with the cursor that the client has by then."""
        self._abort(self._clients[user])
        await self._connect(user)

    async def _connect(self, user: int) -> None:
        greeting = hello(user, self._cursors[user])
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: Client(user, greeting, lambda payload: self._take(user, payload)),
            "127.0.0.1",
            self._port,
        )
        self._clients[user] = client

    async def wait_for(self, count: int) -> None:
        """Wait until all events were shown. Raises NotMeasured if one was lost, or shown twice."""
        await self._until(lambda: len(self._shown), count, "events came")
        if repeated := self._shown.total() - count:
            raise NotMeasured(f"{repeated} events were shown twice")

    def close(self) -> None:
        for client in self._clients.values():
            self._abort(client)

    @staticmethod
    def _abort(client: Client) -> None:
        assert client.transport is not None
        client.transport.abort()

    async def _until(self, found: Callable[[], int], wanted: int, what: str) -> None:
        """Wait as long as some come. Raises NotMeasured if no more do."""
        seen, since = found(), time.perf_counter()
        while (count := found()) < wanted:
            if count > seen:
                seen, since = count, time.perf_counter()
            elif time.perf_counter() - since > _PATIENCE_S:
                raise NotMeasured(f"only {count} of {wanted} {what}")
            await asyncio.sleep(0.02)

    def _take(self, user: int, payload: bytes) -> None:
        if payload.startswith(b'{"type":"welcome"'):
            self._welcomed += 1
        if payload.startswith(b'{"type":"resync"'):
            raise AssertionError(payload)
        for name in (b'"cursor":"', b'"c":"'):
            if (place := payload.find(name)) >= 0:
                start = place + len(name)
                self._cursors[user] = payload[start : payload.index(b'"', start)].decode()
        place = payload.find(SINGLE)
        while place >= 0:
            place += len(SINGLE)
            self._shown[int(payload[place : payload.index(b'"', place)])] += 1
            place = payload.find(SINGLE, place)
