"""Lateness of jobs that are due within a minute, and the cost of a million that wait for weeks."""

from __future__ import annotations

from ..isolation import isolated
from ..kit import Kit
from ..model import Benchmark, Contestant, Derived, Readings, at_least, at_most, ratio, reading


def _due_soon(kit: Kit) -> Readings:
    jobs, window_s = kit.amount(100_000, 5_000), kit.amount(60, 6)
    where = {"address": kit.kafka, "namespace": kit.namespace(), "jobs": jobs}
    isolated("bench.systems.delays:send_due_within", window_s=window_s, **where)
    found: dict[str, float] = isolated("bench.systems.delays:lateness", **where)
    return found


def _waiting(kit: Kit) -> Readings:
    where = {"address": kit.kafka, "namespace": kit.namespace()}
    jobs = kit.amount(1_000_000, 50_000)
    sent = isolated("bench.systems.delays:send_for_later", jobs=jobs, **where)
    found: dict[str, float] = isolated("bench.systems.delays:wait_with_them", **where)
    return found | {"sent_per_s": sent}


def _nothing(kit: Kit) -> Readings:
    found: dict[str, float] = isolated(
        "bench.systems.delays:wait_with_them", address=kit.kafka, namespace=kit.namespace()
    )
    return found


DUE_SOON = Benchmark(
    name="due-soon",
    title="100,000 jobs due within 60 s (5,000 within 6 s with --quick), one worker process",
    contestants=(Contestant("kafka", _due_soon),),
    units={
        "late_p50_ms": "ms",
        "late_p99_ms": "ms",
        "late_worst_ms": "ms",
        "earliest_ms": "ms",
        "memory_mb": "MB",
        "memory_after_a_tenth_mb": "MB",
        "memory_at_the_end_mb": "MB",
    },
    derived=(
        reading("late-p99", "ms", "kafka.late_p99_ms", at_most(100)),
        reading("never-early", "ms", "kafka.earliest_ms", at_least(0)),
        ratio(
            "memory-end-to-start", "kafka.memory_at_the_end_mb", "kafka.memory_after_a_tenth_mb", at_most(1.1)
        ),
    ),
    max_rounds=2,
    slow=True,
)

WAITING = Benchmark(
    name="waiting",
    title="1,000,000 jobs that wait for 2 to 90 days (50,000 with --quick), one idle worker process",
    contestants=(Contestant("nothing", _nothing), Contestant("waiting", _waiting)),
    units={"start_s": "s", "cpu_percent": "%", "memory_mb": "MB", "sent_per_s": "jobs/s"},
    derived=(
        reading("memory", "MB", "waiting.memory_mb", at_most(200)),
        Derived(
            "cpu-more-by",
            "%",
            lambda readings: readings["waiting.cpu_percent"] - readings["nothing.cpu_percent"],
            at_most(2),
        ),
        Derived(
            "start-later-by",
            "s",
            lambda readings: readings["waiting.start_s"] - readings["nothing.start_s"],
            at_most(0.5),
        ),
    ),
    max_rounds=1,
    slow=True,
)
