"""10,000 jobs of 0 to 5 ms each on one partition, 16 threads: acks out of order at work."""

from __future__ import annotations

from ..isolation import isolated
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_most, ratio


def _measure(kit: Kit) -> Readings:
    readings: Readings = isolated(
        "bench.systems.short_jobs:over_ideal", address=kit.kafka, namespace=kit.namespace(), jobs=10_000
    )
    return readings


BENCHMARK = Benchmark(
    name="short-jobs",
    title="10,000 jobs of 0 to 5 ms on one partition, 16 threads",
    contestants=(Contestant("kafka", _measure),),
    units={"seconds": "s", "ideal_seconds": "s"},
    derived=(ratio("over-ideal", "kafka.seconds", "kafka.ideal_seconds", at_most(1.25)),),
)
