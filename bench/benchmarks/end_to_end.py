"""Time from ``send()`` to the start of the job on an idle broker."""

from __future__ import annotations

from ..isolation import isolated
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_most, ratio


def _measure(kit: Kit) -> Readings:
    readings: Readings = isolated(
        "bench.systems.latency:end_to_end",
        address=kit.kafka,
        namespace=kit.namespace(),
        samples=kit.amount(2_000, 250),
    )
    return readings


BENCHMARK = Benchmark(
    name="end-to-end",
    title="From send() to the job's start, idle; beside a bare produce to poll",
    contestants=(Contestant("kafka", _measure),),
    units={"job_ms": "ms", "job_p99_ms": "ms", "bare_ms": "ms", "bare_p99_ms": "ms"},
    derived=(ratio("job-to-bare", "kafka.job_ms", "kafka.bare_ms", at_most(2)),),
)
