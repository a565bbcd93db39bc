"""A broker that sends to fleets and looks at what they leave."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workers import Cluster, KafkaBroker


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=4)
    broker.declare_queue("default")
    yield broker
    broker.close()
