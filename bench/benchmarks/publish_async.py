"""Rate and cost of `tasks.publish_async` on one event loop, without a web server around it."""

from __future__ import annotations

from ..isolation import isolated
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_least, at_most, reading


def _fast(kit: Kit) -> Readings:
    readings: Readings = isolated(
        "bench.systems.publishing.in_process:as_fast_as_it_goes",
        address=kit.kafka,
        namespace=kit.namespace(),
        events=kit.amount(20_000, 2_000),
    )
    return readings


def _at_rate(kit: Kit) -> Readings:
    readings: Readings = isolated(
        "bench.systems.publishing.in_process:at_rate",
        address=kit.kafka,
        namespace=kit.namespace(),
        per_s=1_000,
        seconds=kit.amount(10, 2),
    )
    return readings


BENCHMARK = Benchmark(
    name="publish-async",
    title="publish_async() in 200 tasks of one event loop as fast as it goes, and 1,000 times a second",
    contestants=(Contestant("fast", _fast), Contestant("rate", _at_rate)),
    units={"per_s": "events/s", "publish_ms": "ms", "publish_p99_ms": "ms", "cpu_ms": "ms/event"},
    derived=(
        reading("fast", "events/s", "fast.per_s", at_least(3_000)),
        reading("cpu-ms", "ms/event", "fast.cpu_ms", at_most(0.3)),
    ),
)
