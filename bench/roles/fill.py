"""Enqueues a pool's no-op jobs."""

from __future__ import annotations

import time

from bench import pools
from bench.child import Channel


def run(channel: Channel, pool: str, place: dict[str, str], count: int) -> None:
    """Report how long ``count`` jobs take, but for the first one, which connects."""
    filled = pools.make(pool, pools.Place(**place))
    channel.tell("done", per_s=timed_fill(filled, count))


def timed_fill(pool: pools.Pool, count: int) -> float:
    """Enqueue, and return the jobs per second."""
    pool.fill(1)
    start = time.monotonic()
    pool.fill(count - 1)
    return (count - 1) / (time.monotonic() - start)
