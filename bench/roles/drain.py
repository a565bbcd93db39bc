"""Runs a pool's worker until a backlog is gone."""

from __future__ import annotations

from bench import pools
from bench.child import Channel
from bench.tally import Tally

from .fill import timed_fill


def run(channel: Channel, pool: str, place: dict[str, str], count: int) -> None:
    """Report the marks of the tally, and for a pool whose queue is in the process how fast it was filled."""
    drained = pools.make(pool, pools.Place(**place))
    per_s = timed_fill(drained, count) if pools.POOLS[pool].in_process else None
    tally = Tally(count)
    drained.drain(tally)
    channel.tell("done", marks=tally.marks(), per_s=per_s)
