"""Jobs that sleep for 0-5 ms: how well many threads are kept busy by one partition."""

from __future__ import annotations

import random

from bench.child import Channel
from bench.pools import Place
from bench.pools.on_dramatiq import kafka_one_partition, stub
from bench.tally import Tally

THREADS = 16
_LONGEST_S = 0.005
_SEED = 1


def run(channel: Channel, pool: str, place: dict[str, str], count: int, action: str) -> None:
    """``action`` is fill, or drain; the stub's queue is in the process, so it does both."""
    naps = kafka_one_partition(Place(**place)) if pool == "kafka" else stub(Place(**place))
    rng = random.Random(_SEED)
    naps_s = [rng.uniform(0, _LONGEST_S) for _ in range(count)]
    if action == "fill" or pool == "stub":
        naps.fill_naps(naps_s)
    if action == "fill":
        channel.tell("done")
        return
    tally = Tally(count)
    naps.drain(tally, THREADS)
    marks = tally.marks()
    channel.tell("done", took_s=marks[-1] - marks[0], ideal_s=sum(naps_s) / THREADS)
