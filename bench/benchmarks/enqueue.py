"""Rate of sending many jobs, in the quickest durable way of each system."""

from __future__ import annotations

from ..model import Benchmark, Contestant, at_least, ratio
from ..rates import on_kafka, on_redis

BENCHMARK = Benchmark(
    name="enqueue",
    title="Sending many jobs; on Kafka with broker.batch()",
    contestants=(
        Contestant("kafka", on_kafka("dramatiq_kafka:pipelined_enqueue_rate", 100_000, 20_000)),
        Contestant("dramatiq-redis", on_redis("peers.dramatiq_redis:enqueue_rate", 30_000, 5_000)),
        Contestant("celery-redis", on_redis("peers.celery_app:redis_enqueue_rate", 5_000, 1_000), slow=True),
        Contestant("celery-kafka", on_kafka("peers.celery_app:kafka_enqueue_rate", 2_000, 200), slow=True),
        Contestant("taskiq-kafka", on_kafka("peers.taskiq_kafka:enqueue_rate", 20_000, 3_000), slow=True),
    ),
    units={"jobs_per_s": "jobs/s"},
    derived=(
        ratio("kafka-to-dramatiq-redis", "kafka.jobs_per_s", "dramatiq-redis.jobs_per_s", at_least(2.5)),
        ratio("kafka-to-celery-redis", "kafka.jobs_per_s", "celery-redis.jobs_per_s"),
        ratio("kafka-to-taskiq-kafka", "kafka.jobs_per_s", "taskiq-kafka.jobs_per_s"),
    ),
)
