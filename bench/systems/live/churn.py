"""Clients that come and go for a long time while events are published: the bridge must not grow."""

from __future__ import annotations

import asyncio
import random
import statistics
import time

import psutil
import uvloop

from ...web_server import free_port
from .client import ready_for
from .killed import People
from .load import Writer, served

#: Share of the clients whose connections are cut in a minute; they come back at once.
_CHURN = 0.05
_EVENTS_PER_S = 167
#: Events of users who are not connected: they fill the bridge's memory of the newest events, 64 MB.
_FILL = 60_000
#: This share of the time passes before the memory is looked at.
_WARM_UP = 0.1
_EVERY_S = 2.0


def churn(address: str, namespace: str, connections: int, minutes: float) -> dict[str, float]:
    """Return the bridge's memory, and by how much it differs from that at most, in percent of it.

    Raises NotMeasured if a client misses an event, or is shown one twice.
    """
    ready_for(connections)
    return uvloop.run(_measure(address, namespace, connections, 60 * minutes))


async def _measure(address: str, namespace: str, connections: int, seconds: float) -> dict[str, float]:
    port = free_port()
    people = People(port, connections)
    with served("chatbot-bridge", address, namespace, port) as (_, process):
        writer = Writer(address, namespace)
        for number in range(_FILL):
            writer.to_one(connections + random.randrange(connections), number)  # noqa: S311
        await people.connect()
        sizes, sent = await _come_and_go(people, connections, writer, process, seconds)
        writer.close()
        await people.wait_for(sent)
        people.close()
    middle = statistics.median(sizes)
    quarter = max(1, len(sizes) // 4)
    grown = statistics.median(sizes[-quarter:]) - statistics.median(sizes[:quarter])
    return {
        "memory_mb": middle / 2**20,
        "swing": 100 * max(abs(size - middle) for size in sizes) / middle,
        "grown": 100 * grown / middle,
    }


async def _come_and_go(
    people: People, connections: int, writer: Writer, process: psutil.Process, seconds: float
) -> tuple[list[int], int]:
    """Publish and reconnect for so long; returns the sizes of the process, and how many events were sent."""
    sizes: list[int] = []
    sent, cut, sampled_s = 0, 0, _WARM_UP * seconds
    began = time.perf_counter()
    while (passed_s := time.perf_counter() - began) < seconds:
        while sent < passed_s * _EVENTS_PER_S:
            writer.to_one(random.randrange(connections), sent)  # noqa: S311
            sent += 1
        while cut < passed_s * connections * _CHURN / 60:
            await people.reconnect(random.randrange(connections))  # noqa: S311
            cut += 1
        if passed_s - sampled_s >= _EVERY_S:
            sizes.append(process.memory_info().rss)
            sampled_s = passed_s
        await asyncio.sleep(0.01)
    return sizes or [process.memory_info().rss], sent
