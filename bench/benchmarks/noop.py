"""Rate of jobs that do nothing: the cost of the pool itself."""

from __future__ import annotations

from ..model import Benchmark, Contestant, Derived, at_least, at_most, ratio
from ..rates import in_memory, on_kafka, on_redis

BENCHMARK = Benchmark(
    name="noop",
    title="No-op jobs, one process, 8 threads (fleet: two with 4 threads each, on two cores)",
    contestants=(
        Contestant("kafka", on_kafka("dramatiq_kafka:noop_rate", 200_000, 15_000)),
        Contestant("kafka-fleet", on_kafka("kafka_fleet:noop_rate", 500_000, 50_000), slow=True),
        Contestant("stub", in_memory("peers.dramatiq_stub:noop_rate", 200_000, 15_000)),
        Contestant("dramatiq-redis", on_redis("peers.dramatiq_redis:noop_rate", 15_000, 2_000)),
        Contestant("celery-redis", on_redis("peers.celery_app:redis_noop_rate", 5_000, 600), slow=True),
        Contestant("celery-kafka", on_kafka("peers.celery_app:kafka_noop_rate", 1_000, 200), slow=True),
        Contestant("taskiq-kafka", on_kafka("peers.taskiq_kafka:noop_rate", 20_000, 3_000), slow=True),
    ),
    units={"jobs_per_s": "jobs/s"},
    derived=(
        ratio("kafka-to-stub", "kafka.jobs_per_s", "stub.jobs_per_s", at_least(0.85)),
        ratio("kafka-to-dramatiq-redis", "kafka.jobs_per_s", "dramatiq-redis.jobs_per_s", at_least(8)),
        ratio("kafka-to-celery-redis", "kafka.jobs_per_s", "celery-redis.jobs_per_s"),
        ratio("kafka-to-celery-kafka", "kafka.jobs_per_s", "celery-kafka.jobs_per_s"),
        ratio("kafka-to-taskiq-kafka", "kafka.jobs_per_s", "taskiq-kafka.jobs_per_s"),
        Derived("kafka-million", "s", lambda readings: 1_000_000 / readings["kafka.jobs_per_s"]),
        Derived(
            "kafka-fleet-million",
            "s",
            lambda readings: 1_000_000 / readings["kafka-fleet.jobs_per_s"],
            at_most(60),
        ),
    ),
)
