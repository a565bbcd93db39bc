"""Rate of sending many jobs, in the quickest durable way of each system."""

from __future__ import annotations

from ..isolation import rate
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_least, ratio


def _kafka(kit: Kit) -> Readings:
    return rate(
        "dramatiq_kafka:pipelined_enqueue_rate",
        kit.amount(100_000, 20_000),
        namespace=kit.namespace(),
        address=kit.kafka,
    )


def _redis(kit: Kit) -> Readings:
    return rate(
        "peers.dramatiq_redis:enqueue_rate",
        kit.amount(30_000, 5_000),
        namespace=kit.namespace(),
        url=kit.redis,
    )


def _celery_redis(kit: Kit) -> Readings:
    return rate(
        "peers.celery_app:redis_enqueue_rate",
        kit.amount(5_000, 1_000),
        namespace=kit.namespace(),
        url=kit.redis,
    )


def _celery_kafka(kit: Kit) -> Readings:
    return rate(
        "peers.celery_app:kafka_enqueue_rate",
        kit.amount(2_000, 200),
        namespace=kit.namespace(),
        address=kit.kafka,
    )


def _taskiq_kafka(kit: Kit) -> Readings:
    return rate(
        "peers.taskiq_kafka:enqueue_rate",
        kit.amount(20_000, 3_000),
        namespace=kit.namespace(),
        address=kit.kafka,
    )


BENCHMARK = Benchmark(
    name="enqueue",
    title="Sending many jobs; on Kafka with broker.batch()",
    contestants=(
        Contestant("kafka", _kafka),
        Contestant("dramatiq-redis", _redis),
        Contestant("celery-redis", _celery_redis, slow=True),
        Contestant("celery-kafka", _celery_kafka, slow=True),
        Contestant("taskiq-kafka", _taskiq_kafka, slow=True),
    ),
    units={"jobs_per_s": "jobs/s"},
    derived=(
        ratio("kafka-to-dramatiq-redis", "kafka.jobs_per_s", "dramatiq-redis.jobs_per_s", at_least(2.5)),
        ratio("kafka-to-celery-redis", "kafka.jobs_per_s", "celery-redis.jobs_per_s"),
        ratio("kafka-to-taskiq-kafka", "kafka.jobs_per_s", "taskiq-kafka.jobs_per_s"),
    ),
)
