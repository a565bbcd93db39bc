"""One Kafka for all tests of other clients, and a process that reads the event log as our workers do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker

from interop.clients import Client
from interop.every_client import CLIENTS, missing
from tasks.events.cloud_events import event_of
from workers import Cluster, KafkaBroker
from workers.local_kafka.server import LocalKafka
from workers.records.sources import Incoming


@dataclass
class Log:
    """The event log of a namespace, and the events that a worker has got from it, by id."""

    broker: KafkaBroker
    got: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        return self.broker.topics.named("events")

    @property
    def servers(self) -> str:
        return self.broker.cluster.address


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with LocalKafka() as kafka:
        yield Cluster((kafka.bootstrap_servers,))


@pytest.fixture
def log(cluster: Cluster) -> Iterator[Log]:
    """An event log of 8 partitions of its own."""
    broker = KafkaBroker(
        cluster, namespace=f"t-{uuid.uuid4().hex[:8]}", partitions=8, run_mover=False, commit_interval_ms=50
    )
    log = Log(broker)

    @dramatiq.actor(broker=broker, queue_name="events", max_retries=0)
    def handle(event: dict[str, Any]) -> None:
        log.got[event["cloudevent"].get("id", event["event_id"])] = event

    def job_of(record: Incoming) -> dramatiq.Message[None]:
        return handle.message(event_of(record))

    broker.add_source("events", log.topic, job_of, retention_ms=3_600_000)
    broker.prepare()
    worker = Worker(broker, worker_timeout=50, worker_threads=2)
    worker.start()
    yield log
    worker.stop()
    broker.close()


@pytest.fixture(params=sorted(CLIENTS))
def client(request: pytest.FixtureRequest) -> Client:
    name: str = request.param
    lacking = missing(name)
    if lacking:
        pytest.skip(lacking)
    return CLIENTS[name]
