"""The routes on a real Kafka and a database of its own, called in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from tasks.notifications.recipients import RecipientStore
from tasks.reminders.outcomes import AlarmToSet
from tasks.storage.database import Database
from tasks.stories.jobs import JobSearch
from tasks.stories.telling import Stories
from tests.integration.web.conftest import SECRET, token_of
from web.access import Access
from web.api import kafka_router
from web.api.services import Dapr, Services
from web.keys import SecretKey
from workers import Cluster, KafkaBroker

UNSUBSCRIBE_SECRET = "the key of links to unsubscribe, 32 bytes"
DAPR_TOKEN = "the token of Dapr's sidecar, 32 bytes"


def bearer(user: str, *roles: str) -> dict[str, str]:
    """The header of somebody's request."""
    return {"authorization": f"Bearer {token_of(user, roles=list(roles))}"}


def require_problem(answer: Response, status: int, words: str) -> Any:
    """The problem that an answer is, with this status and these words."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert words in problem["detail"]
    return problem


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=2)
    broker.declare_queue("events")
    broker.sending.add_log(broker.topics.named("events"), retention_ms=86_400_000)
    yield broker
    broker.close()


@pytest.fixture
def database(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Database]:
    """One kind of database is enough: what the routes call is tested on both."""
    file = shutil.copy(migrated_sqlite, tmp_path)
    database = Database(f"sqlite:///{file}")
    yield database
    database.dispose()


@pytest.fixture
def alarms() -> list[AlarmToSet]:
    """The alarms that routes have set."""
    return []


@pytest.fixture
def make_services(database: Database, alarms: list[AlarmToSet]) -> Callable[[KafkaBroker], Services]:
    """Makes the services of a broker; alarms go nowhere, but are kept."""

    def make(broker: KafkaBroker) -> Services:
        log = broker.topics.named("events")
        return Services(
            event_log=log,
            write_events=partial(broker.sending.deliver_each_async, log),
            database=lambda: database,
            recipients=lambda: RecipientStore(database),
            set_alarm=alarms.append,
            stories=lambda: Stories(database, JobSearch(broker, limit_s=10).find),
            dapr=Dapr(DAPR_TOKEN, "pubsub"),
            unsubscribe_secret=UNSUBSCRIBE_SECRET,
        )

    return make


def make_client(services: Services) -> TestClient:
    """A client of somebody's own application that includes the routes."""
    app = FastAPI()
    app.include_router(kafka_router(services=services, access=Access(SecretKey(SECRET), audience="todo")))
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def client(make_services: Callable[[KafkaBroker], Services]) -> Iterator[TestClient]:
    """A client of the routes, for which Kafka is away."""
    broker = KafkaBroker(Cluster(("127.0.0.1:1",), connect_timeout_s=0.3), namespace="t")
    with make_client(make_services(broker)) as client:
        yield client


@pytest.fixture
def publishing_client(
    broker: KafkaBroker, make_services: Callable[[KafkaBroker], Services]
) -> Iterator[TestClient]:
    """A client of the routes on a real Kafka."""
    with make_client(make_services(broker)) as client:
        yield client
