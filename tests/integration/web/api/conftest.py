"""The routes on a real Kafka and a database of its own, called in this process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.integration.web.conftest import SECRET
from web.access import Access
from web.api import kafka_router
from web.api.services import Dapr, Services
from web.keys import SecretKey
from workers import Cluster, KafkaBroker

DAPR_TOKEN = "the token of Dapr's sidecar, 32 bytes"


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=2)
    broker.declare_queue("events")
    broker.sending.add_log(broker.topics.named("events"), retention_ms=86_400_000)
    yield broker
    broker.close()


def make_services(broker: KafkaBroker) -> Services:
    log = broker.topics.named("events")
    return Services(
        event_log=log,
        write_events=partial(broker.sending.deliver_each_async, log),
        dapr=Dapr(DAPR_TOKEN, "pubsub"),
    )


def make_client(services: Services) -> TestClient:
    """A client of somebody's own application that includes the routes."""
    app = FastAPI()
    app.include_router(kafka_router(services=services, access=Access(SecretKey(SECRET), audience="todo")))
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def client(broker: KafkaBroker) -> Iterator[TestClient]:
    with make_client(make_services(broker)) as client:
        yield client
