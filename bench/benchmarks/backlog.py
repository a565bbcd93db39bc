"""A million jobs that wait: drained at a flat rate, in little memory."""

from __future__ import annotations

from ..isolation import isolated
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_least, at_most, ratio, reading


def _measure(kit: Kit) -> Readings:
    where = {"address": kit.kafka, "namespace": kit.namespace()}
    jobs = kit.amount(1_000_000, 30_000)
    filled = isolated("bench.systems.backlog:fill", jobs=jobs, **where)
    drained: dict[str, float] = isolated("bench.systems.backlog:drain", jobs=jobs, **where)
    return {"filled_per_s": filled} | drained


BENCHMARK = Benchmark(
    name="backlog",
    title="A backlog of 1,000,000 no-op jobs (30,000 with --quick), one worker process, 8 threads",
    contestants=(Contestant("kafka", _measure),),
    units={
        "jobs_per_s": "jobs/s",
        "first_tenth_per_s": "jobs/s",
        "last_tenth_per_s": "jobs/s",
        "filled_per_s": "jobs/s",
        "memory_mb": "MB",
        "memory_after_a_tenth_mb": "MB",
        "memory_at_the_end_mb": "MB",
    },
    derived=(
        ratio("last-to-first-tenth", "kafka.last_tenth_per_s", "kafka.first_tenth_per_s", at_least(0.9)),
        reading("memory", "MB", "kafka.memory_mb", at_most(200)),
        ratio(
            "memory-end-to-start",
            "kafka.memory_at_the_end_mb",
            "kafka.memory_after_a_tenth_mb",
            at_most(1.1),
        ),
    ),
    max_rounds=2,
)
