"""``tasks.publish_async`` as a web server calls it: many tasks on one event loop."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any

_CONCURRENT = 200
#: Publishes that are not counted, while the producer warms up.
_WARM_UP = 400

#: Publishes an event; returns when Kafka has confirmed it.
Publish = Callable[[Any], Awaitable[object]]


def as_fast_as_it_goes(address: str, namespace: str, events: int) -> dict[str, float]:
    """Publish events in 200 tasks, each one after the other."""
    publish, made = _prepare(address, namespace, events + _WARM_UP)

    async def main() -> dict[str, float]:
        await _in_tasks(publish, made[:_WARM_UP])
        cpu_s, began = time.process_time(), time.monotonic()
        taken = await _in_tasks(publish, made[_WARM_UP:])
        return readings(taken, time.process_time() - cpu_s, time.monotonic() - began)

    return asyncio.run(main())


def at_rate(address: str, namespace: str, per_s: int, seconds: int) -> dict[str, float]:
    """Publish events at fixed times, however late others are."""
    publish, made = _prepare(address, namespace, per_s * seconds + _WARM_UP)

    async def main() -> dict[str, float]:
        await _in_tasks(publish, made[:_WARM_UP])
        cpu_s, began = time.process_time(), time.monotonic()
        taken = await _at_times(publish, made[_WARM_UP:], per_s)
        return readings(taken, time.process_time() - cpu_s, time.monotonic() - began)

    return asyncio.run(main())


def _prepare(address: str, namespace: str, count: int) -> tuple[Publish, Sequence[Any]]:
    # `tasks` reads the settings when it is imported.
    os.environ |= {"KAFKA_BOOTSTRAP_SERVERS": address, "KAFKA_NAMESPACE": namespace}
    tasks = import_module("tasks")
    tasks.broker.prepare()
    events = import_module("bench.systems.pipeline.events").events()
    return tasks.publish_async, [next(events) for _ in range(count)]


async def _in_tasks(publish: Publish, events: Sequence[Any]) -> list[float]:
    left, taken = iter(events), []

    async def one_after_the_other() -> None:
        for event in left:
            began = time.monotonic()
            await publish(event)
            taken.append(time.monotonic() - began)

    await asyncio.gather(*(one_after_the_other() for _ in range(_CONCURRENT)))
    return taken


async def _at_times(publish: Publish, events: Sequence[Any], per_s: int) -> list[float]:
    began = time.monotonic() + 0.1
    taken: list[float] = []

    async def one(number: int, event: Any) -> None:
        await publish(event)
        taken.append(time.monotonic() - began - number / per_s)

    async with asyncio.TaskGroup() as group:
        for number, event in enumerate(events):
            if (wait_s := began + number / per_s - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            group.create_task(one(number, event))
    return taken


def readings(taken_s: Sequence[float], cpu_s: float, took_s: float) -> dict[str, float]:
    """The figures of events that took so long each, and all of them ``took_s`` and ``cpu_s``."""
    return {
        "per_s": len(taken_s) / took_s,
        "publish_ms": 1000 * statistics.median(taken_s),
        "publish_p99_ms": 1000 * statistics.quantiles(taken_s, n=100)[98],
        "cpu_ms": 1000 * cpu_s / len(taken_s),
    }
