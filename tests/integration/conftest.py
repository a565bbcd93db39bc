"""A broker of its own for each test, on the shared Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from dramatiq import Worker

from workers import Cluster, KafkaBroker


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=2, commit_interval_ms=50)
    yield broker
    broker.close()


@pytest.fixture
def start_worker() -> Iterator[Callable[[KafkaBroker], Worker]]:
    started: list[Worker] = []

    def start(broker: KafkaBroker) -> Worker:
        worker = Worker(broker, worker_timeout=100, worker_threads=4)
        worker.start()
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.stop()
