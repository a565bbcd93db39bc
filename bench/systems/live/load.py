"""Puts a server under load: many connections, one text to all of them, and events for single users."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import psutil
import uvloop

from tasks import Owner, Todo, TodoCreated
from tasks.events.cloud_events import record_of
from workers import Cluster
from workers.kafka.producing.producer import DurableProducer
from workers.records.envelope import Record

from ...errors import NotMeasured
from ...web_server import cpu_s, free_port, started
from . import centrifugo
from .client import BRIDGE, Client, Protocol, framed, ready_for
from .server import FOR_ALL, KEY

#: How many connections are being made at a time.
_AT_ONCE = 100
#: How long all clients may take to get a text.
_PATIENCE_S = 30.0
#: How many events may be on their way to Kafka.
_MOST_OPEN = 5_000
_TEXT_BYTES = 500
#: How the title of an event for a single user begins, in a frame; its number follows.
SINGLE = b'"title":"single '


def bridge(
    address: str, namespace: str, connections: int, fan_outs: int, singles_s: float
) -> dict[str, float]:
    """Measure the bridge. See `_Load.readings`, and `singles` for the times to a single user."""
    ready_for(connections)
    with served("bridge", address, namespace) as (port, process):
        load = _Load(port, process, connections)
        writer = Writer(address, namespace)
        try:
            return uvloop.run(load.measure(writer.to_all, fan_outs, writer, singles_s))
        finally:
            writer.close()


def bare(connections: int, fan_outs: int) -> dict[str, float]:
    """Measure the plain application."""
    ready_for(connections)
    with served("bare", "", "") as (port, process):
        load = _Load(port, process, connections)
        return uvloop.run(load.measure(lambda number: post(port, "/all", text_for_all(number)), fan_outs))


def with_centrifugo(connections: int, fan_outs: int) -> dict[str, float]:
    """Measure Centrifugo. Raises NotMeasured where there is none."""
    ready_for(connections)
    with centrifugo.served() as (port, process):
        load = _Load(port, process, connections, centrifugo.PROTOCOL, centrifugo.hello)

        def to_all(number: int) -> None:
            post(port, "/api/publish", {"channel": centrifugo.CHANNEL, "data": text_for_all(number)})

        return uvloop.run(load.measure(to_all, fan_outs))


class _Load:
    """Connections to one server, and what they get."""

    def __init__(
        self,
        port: int,
        process: psutil.Process,
        connections: int,
        protocol: Protocol = BRIDGE,
        hello_of: Callable[[int], bytes] | None = None,
    ) -> None:
        self._port = port
        self._protocol = protocol
        self._hello_of = hello_of or hello
        self._process = process
        self._count = connections
        self._welcomed = 0
        self._frames = 0
        self._wanted = 0
        self._all_there = asyncio.Event()
        #: When the events for single users came, by their number.
        self._came: dict[int, float] = {}
        self._clients: list[Client] = []

    async def measure(
        self, to_all: Any, fan_outs: int, writer: Writer | None = None, singles_s: float = 0.0
    ) -> dict[str, float]:
        """Connect, be idle, send to all, send to single users; returns the readings."""
        found = await self._connect()
        await asyncio.sleep(1)
        busy, began = cpu_s(self._process), time.perf_counter()
        await asyncio.sleep(5)
        found["idle_cpu"] = 100 * (cpu_s(self._process) - busy) / (time.perf_counter() - began)
        found |= await self._fan_out(to_all, fan_outs)
        if writer is not None:
            found |= await self._singles(writer, singles_s)
            found |= await self._beside_slow(to_all, fan_outs, writer, singles_s)
        for client in self._clients:
            assert client.transport is not None
            client.transport.abort()
        return found

    async def _connect(self) -> dict[str, float]:
        hellos = [self._hello_of(number) for number in range(self._count)]
        memory = self._process.memory_info().rss
        self._want(self._count)
        began = time.perf_counter()
        room = asyncio.Semaphore(_AT_ONCE)

        async def connect(user: int, hello: bytes) -> None:
            async with room:
                loop = asyncio.get_running_loop()
                _, client = await loop.create_connection(
                    lambda: Client(user, hello, self._on_frame, self._protocol), "127.0.0.1", self._port
                )
                self._clients.append(client)

        await asyncio.gather(*(connect(user, hello) for user, hello in enumerate(hellos)))
        await self._wait()
        took = time.perf_counter() - began
        kb = (self._process.memory_info().rss - memory) / 1024 / self._count
        return {"connect_s": took, "connection_kb": kb}

    async def _fan_out(self, to_all: Any, times: int) -> dict[str, float]:
        walls, busy_s = [], 0.0
        for number in range(times):
            self._want(self._count)
            busy, began = cpu_s(self._process), time.perf_counter()
            await asyncio.to_thread(to_all, number)
            await self._wait()
            walls.append(time.perf_counter() - began)
            await asyncio.sleep(0.3)
            busy_s += cpu_s(self._process) - busy
        return {
            "fan_out_ms": 1000 * statistics.median(walls),
            "fan_out_max_ms": 1000 * max(walls),
            "frame_cpu_us": 1e6 * busy_s / times / self._count,
        }

    async def _beside_slow(
        self, to_all: Any, fan_outs: int, writer: Writer, seconds: float
    ) -> dict[str, float]:
        """Have 1 % of the clients read nothing; returns the others' times, and by what the memory grows."""
        slow = self._clients[: max(1, self._count // 100)]
        memory = self._process.memory_info().rss
        for client in slow:
            assert client.transport is not None
            client.transport.pause_reading()
        for number in range(fan_outs):
            self._want(self._count - len(slow))
            await asyncio.to_thread(to_all, number)
            await self._wait()
        found = await self._singles(writer, seconds, but=frozenset(client.user for client in slow))
        grown = (self._process.memory_info().rss - memory) / 2**20
        return {
            "beside_slow_ms": found["single_ms"],
            "beside_slow_p99_ms": found["single_p99_ms"],
            "slow_mb": grown,
        }

    async def _singles(
        self, writer: Writer, seconds: float, but: frozenset[int] = frozenset()
    ) -> dict[str, float]:
        """Publish 167 events a second for random users; returns the times until they have them."""
        sent: dict[int, float] = {}
        self._came.clear()
        count = int(167 * seconds)
        users = [user for user in range(self._count) if user not in but]
        began = time.perf_counter()
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / 167 - time.perf_counter()))
            sent[number] = time.perf_counter()
            writer.to_one(random.choice(users), number)  # noqa: S311
        deadline = time.perf_counter() + _PATIENCE_S
        while len(self._came) < count:
            if time.perf_counter() > deadline:
                raise NotMeasured(f"{count - len(self._came)} of {count} events did not come")
            await asyncio.sleep(0.05)
        times = sorted(1000 * (self._came[number] - at) for number, at in sent.items())
        return {"single_ms": statistics.median(times), "single_p99_ms": times[int(len(times) * 0.99)]}

    def _on_frame(self, payload: bytes) -> None:
        self._frames += 1
        if self._frames >= self._wanted:
            self._all_there.set()
        # A frame has several events if more than one waited for the user.
        place = payload.find(SINGLE)
        while place >= 0:
            place += len(SINGLE)
            self._came[int(payload[place : payload.index(b'"', place)])] = time.perf_counter()
            place = payload.find(SINGLE, place)

    def _want(self, frames: int) -> None:
        self._frames, self._wanted = 0, frames
        self._all_there.clear()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S + self._count / 500):
                await self._all_there.wait()
        except TimeoutError as exc:
            raise NotMeasured(f"{self._wanted - self._frames} of {self._wanted} frames did not come") from exc


class Writer:
    """Publishes events. Raises KafkaError if one is not confirmed, before readers are blamed."""

    def __init__(self, address: str, namespace: str) -> None:
        self._open: deque[Any] = deque()
        self._topic = f"{namespace}.events"
        self._producer = DurableProducer(Cluster((address,)))
        self._producer.prepare(self._topic)

    def to_all(self, number: int) -> None:
        event = {
            "specversion": "1.0",
            "id": f"all-{number}",
            "source": "/bench",
            "type": FOR_ALL,
            "data": text_for_all(number),
        }
        self._producer.deliver(self._topic, Record(b"all", json.dumps(event).encode(), []))

    def to_one(self, user: int, number: int) -> None:
        owner = Owner(name="Ana", email=f"user-{user}@example.com")
        todo = Todo(id=f"todo-{number}", title=f"single {number}", owner=owner)
        record = record_of(TodoCreated(actor="user:ana", todo=todo))
        self._open.append(self._producer.send(self._topic, record))
        # More than Kafka takes in a record's time would not be sent at all.
        if len(self._open) > _MOST_OPEN:
            self._open.popleft().get(_PATIENCE_S)

    def close(self) -> None:
        while self._open:
            self._open.popleft().get(_PATIENCE_S)
        self._producer.close()


def hello(number: int, cursor: str | None = None) -> bytes:
    """The first frame of a user, who comes back if there is a cursor."""
    claims = {"email": f"user-{number}@example.com", "aud": "todo", "exp": int(time.time()) + 86_400}
    return framed(json.dumps({"type": "hello", "token": jwt.encode(claims, KEY), "cursor": cursor}).encode())


def text_for_all(number: int) -> dict[str, object]:
    """What is sent to all."""
    return {"number": number, "text": "x" * _TEXT_BYTES}


def post(port: int, path: str, data: object) -> None:
    """Post JSON to a server on the loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", path, json.dumps(data), {"Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()


@contextmanager
def served(
    kind: str, address: str, namespace: str, port: int | None = None
) -> Iterator[tuple[int, psutil.Process]]:
    """Start a server, and wait until it is ready; it is killed at the end."""
    port = port or free_port()
    command = [sys.executable, "-m", "bench.systems.live.server", kind, str(port), address, namespace]
    with started(command, port, f"the {kind}") as process:
        yield port, process
