"""Rate of jobs that do nothing: the cost of the pool itself."""

from __future__ import annotations

from ..isolation import rate
from ..kit import Kit
from ..model import Benchmark, Contestant, Derived, Readings, at_least, at_most, ratio


def _kafka(kit: Kit) -> Readings:
    return rate(
        "dramatiq_kafka:noop_rate", kit.amount(200_000, 15_000), namespace=kit.namespace(), address=kit.kafka
    )


def _kafka_fleet(kit: Kit) -> Readings:
    jobs = kit.amount(500_000, 50_000)
    return rate("kafka_fleet:noop_rate", jobs, namespace=kit.namespace(), address=kit.kafka)


def _stub(kit: Kit) -> Readings:
    return rate("peers.dramatiq_stub:noop_rate", kit.amount(200_000, 15_000))


def _redis(kit: Kit) -> Readings:
    return rate(
        "peers.dramatiq_redis:noop_rate",
        kit.amount(15_000, 2_000),
        namespace=kit.namespace(),
        url=kit.redis,
    )


def _celery_redis(kit: Kit) -> Readings:
    return rate(
        "peers.celery_app:redis_noop_rate",
        kit.amount(5_000, 600),
        namespace=kit.namespace(),
        url=kit.redis,
    )


def _celery_kafka(kit: Kit) -> Readings:
    return rate(
        "peers.celery_app:kafka_noop_rate",
        kit.amount(1_000, 200),
        namespace=kit.namespace(),
        address=kit.kafka,
    )


def _taskiq_kafka(kit: Kit) -> Readings:
    return rate(
        "peers.taskiq_kafka:noop_rate",
        kit.amount(20_000, 3_000),
        namespace=kit.namespace(),
        address=kit.kafka,
    )


BENCHMARK = Benchmark(
    name="noop",
    title="No-op jobs, one process, 8 threads (fleet: two with 4 threads each, on two cores)",
    contestants=(
        Contestant("kafka", _kafka),
        Contestant("kafka-fleet", _kafka_fleet, slow=True),
        Contestant("stub", _stub),
        Contestant("dramatiq-redis", _redis),
        Contestant("celery-redis", _celery_redis, slow=True),
        Contestant("celery-kafka", _celery_kafka, slow=True),
        Contestant("taskiq-kafka", _taskiq_kafka, slow=True),
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
