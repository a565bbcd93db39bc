"""A broker of its own for each test, on the shared Kafka."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workers import Cluster, KafkaBroker


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=2, commit_interval_ms=50)
    yield broker
    broker.close()
