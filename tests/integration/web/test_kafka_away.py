"""Kafka is away for a while: clients stay, are told so, and get everything afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.helpers.broken_kafka import frozen
from tests.helpers.waiting import wait_for
from tests.integration.web.conftest import ANY_OWNER, StartBridge, event_record, titles
from workers import Cluster
from workers.kafka.producing.producer import DurableProducer
from workers.local_kafka import LocalKafka


@pytest.fixture(scope="module")
def kafka() -> Iterator[LocalKafka]:
    with LocalKafka() as kafka:
        yield kafka


def test_clients_stay_and_miss_nothing(
    kafka: LocalKafka, start_bridge: StartBridge, topics: list[str], nowhere: str
) -> None:
    cluster = Cluster((kafka.bootstrap_servers,), connect_timeout_s=1.0)
    bridge = start_bridge(at=cluster)
    producer = DurableProducer(Cluster(cluster.bootstrap_servers))
    with bridge.client(ANY_OWNER) as stays, bridge.client(ANY_OWNER) as comes:
        assert stays.connect()["stale_since"] is None
        producer.deliver(topics[0], event_record("one", ANY_OWNER, "todo-1"))
        stays.read_until(1)
        before = time.time()
        with frozen(kafka):
            wait_for(lambda: bridge.bridge.hub.stale_since)
            assert bridge.bridge.hub.stale_since is not None
            assert bridge.bridge.hub.stale_since <= before + 5
            assert comes.connect()["stale_since"] is not None
            assert bridge.bridge.status()["following"] is False
            while stays.stale_since is None:
                assert stays.receive(5)
            assert stays.stale_since == comes.stale_since
        wait_for(lambda: bridge.bridge.hub.stale_since is None)
        for client in (stays, comes):
            while client.stale_since is not None:
                assert client.receive(5)
        producer.deliver(topics[0], event_record("two", ANY_OWNER, "todo-1"))
        assert titles(stays.read_until(2)) == ["one", "two"]
        assert titles(comes.read_until(1)) == ["two"]
        assert stays.resyncs == comes.resyncs == []
    producer.close()


def test_before_the_log_is_known_clients_are_told_to_come_back(
    start_bridge: StartBridge, nowhere: str
) -> None:
    bridge = start_bridge(at=Cluster((nowhere,), connect_timeout_s=0.5), wait=False)
    wait_for(lambda: bridge.server.started)
    with bridge.client(ANY_OWNER) as client:
        client.open()
        client.hello()
        assert client.read_to_the_end() == 4010
        assert client.bye is not None
        assert client.bye["again_after_ms"] > 0
