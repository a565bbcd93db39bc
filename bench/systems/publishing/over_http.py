"""``POST /events`` of one `todo-workers web`, with a client that costs little in a process of its own."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from tempfile import TemporaryDirectory
from typing import cast

import jwt
import psutil
import uvloop

from tasks.events.cloud_events import CONTENT_TYPE, record_of

from ...errors import NotMeasured
from ...web_server import cpu_s, free_port, started
from ..pipeline.events import events
from .in_process import readings

_CONNECTIONS = 64
#: Events that are not counted, while the server warms up.
_WARM_UP = 400
_ACCEPTED = b"HTTP/1.1 202"
_KEY = "a key of thirty-two bytes or more"


def as_fast_as_it_goes(address: str, namespace: str, count: int) -> dict[str, float]:
    """Publish events on 64 connections, on each one after the other."""
    with _served(address, namespace) as (port, process):
        return uvloop.run(_fast(port, process, _requests(count + _WARM_UP)))


def at_rate(address: str, namespace: str, per_s: int, seconds: int) -> dict[str, float]:
    """Publish events at fixed times, however late others are."""
    with _served(address, namespace) as (port, process):
        return uvloop.run(_at_rate(port, process, _requests(per_s * seconds + _WARM_UP), per_s))


def floor(count: int) -> dict[str, float]:
    """Post the same to a route of FastAPI that does nothing, on the same server."""
    return _bare("empty_route", count)


def written(address: str, namespace: str, count: int) -> dict[str, float]:
    """Post the same to a bare ASGI application that writes it to Kafka unread, on the same server."""
    settings = {"KAFKA_BOOTSTRAP_SERVERS": address, "KAFKA_NAMESPACE": namespace}
    return _bare("written_route", count, settings, "--lifespan", "off")


def _bare(
    module: str, count: int, settings: Mapping[str, str] | None = None, *options: str
) -> dict[str, float]:
    port = free_port()
    where = ["--port", str(port), "--no-access-log", "--log-level", "warning", *options]
    command = [sys.executable, "-m", "uvicorn", f"bench.systems.publishing.{module}:app", *where]
    with started(command, port, "uvicorn", settings) as process:
        return uvloop.run(_fast(port, process, _requests(count + _WARM_UP)))


async def _fast(port: int, process: psutil.Process, requests: Sequence[bytes]) -> dict[str, float]:
    clients = [await _connected(port) for _ in range(_CONNECTIONS)]
    await _in_turn(clients, requests[:_WARM_UP])
    before_s, began = cpu_s(process), time.monotonic()
    taken = await _in_turn(clients, requests[_WARM_UP:])
    return readings(taken, cpu_s(process) - before_s, time.monotonic() - began)


async def _in_turn(clients: Sequence[_Client], requests: Sequence[bytes]) -> list[float]:
    left, taken = iter(requests), []

    async def one_after_the_other(client: _Client) -> None:
        for request in left:
            began = time.monotonic()
            await client.post(request)
            taken.append(time.monotonic() - began)

    await asyncio.gather(*map(one_after_the_other, clients))
    return taken


async def _at_rate(
    port: int, process: psutil.Process, requests: Sequence[bytes], per_s: int
) -> dict[str, float]:
    clients = [await _connected(port) for _ in range(_CONNECTIONS)]
    await _in_turn(clients, requests[:_WARM_UP])
    free: asyncio.LifoQueue[_Client] = asyncio.LifoQueue()
    for client in clients:
        free.put_nowait(client)
    taken: list[float] = []
    before_s, began = cpu_s(process), time.monotonic() + 0.1

    async def one(number: int, request: bytes) -> None:
        client = await free.get()
        if client.is_closed:  # the server ends connections that nobody used for a while
            client = await _connected(port)
        await client.post(request)
        free.put_nowait(client)
        taken.append(time.monotonic() - began - number / per_s)

    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests[_WARM_UP:]):
            if (wait_s := began + number / per_s - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            group.create_task(one(number, request))
    return readings(taken, cpu_s(process) - before_s, time.monotonic() - began)


class _Client(asyncio.Protocol):
    """One connection: posts, and waits for the answer; it looks at the status and the length alone."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one in all but its type.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end or self._answer is None or self._answer.done():
            return
        _, _, length = head.lower().partition(b"content-length: ")
        if len(body) >= int(length.partition(b"\r\n")[0]):
            self._buffer = b""
            if head.startswith(_ACCEPTED):
                self._answer.set_result(None)
            else:
                self._answer.set_exception(NotMeasured(f"refused: {(head + end + body)[:500]!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NotMeasured(f"the connection was lost: {exc}"))

    async def post(self, request: bytes) -> None:
        """Send a request; returns once it is accepted. Raises NotMeasured."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._answer


async def _connected(port: int) -> _Client:
    _, client = await asyncio.get_running_loop().create_connection(_Client, "127.0.0.1", port)
    return client


def _requests(count: int) -> list[bytes]:
    claims = {
        "email": "bench@example.com",
        "roles": ["publisher"],
        "aud": "todo",
        "exp": time.time() + 86_400,
    }
    head = (
        "POST /events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {jwt.encode(claims, _KEY)}\r\nContent-Type: {CONTENT_TYPE}\r\n"
    )
    bodies = (record_of(event).value or b"" for event in islice(events(), count))
    return [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]


@contextmanager
def _served(address: str, namespace: str) -> Iterator[tuple[int, psutil.Process]]:
    """Start `todo-workers web`, and wait until it is ready."""
    port = free_port()
    command = [sys.executable, "-m", "workers", "web"]
    with TemporaryDirectory(prefix="bench-http-") as folder:
        settings = {
            "KAFKA_BOOTSTRAP_SERVERS": address,
            "KAFKA_NAMESPACE": namespace,
            "DATABASE_URL": f"sqlite:///{folder}/todo.db",
            "WEB_PORT": str(port),
            "WEB_JWT_SECRET": _KEY,
            "WEB_DRAIN": "0s",
        }
        with started(command, port, "todo-workers web", settings) as process:
            yield port, process
