"""An application with a database and actors of its own, and relays of its outbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import dramatiq
import pytest
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.engine import make_url

from workers import Cluster, KafkaBroker
from workers.outbox.relay import Relay
from workers.outbox.table import outbox_table

StartRelay = Callable[..., Relay]
Actor = dramatiq.Actor[..., None]


@pytest.fixture
def engine(new_database_url: str) -> Iterator[Engine]:
    """A database with the outbox in the application's own metadata, for each kind of database."""
    url = make_url(new_database_url)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    metadata = MetaData()
    outbox_table(metadata)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def send_invoice(broker: KafkaBroker) -> Actor:
    @dramatiq.actor(broker=broker, queue_name="invoices")
    def send_invoice(order: str) -> None: ...

    return send_invoice


@pytest.fixture
def start_relay(broker: KafkaBroker, engine: Engine) -> Iterator[StartRelay]:
    """Starts relays; they stop when the test ends."""
    started: list[Relay] = []

    def start(at: Cluster | None = None) -> Relay:
        target = broker if at is None else KafkaBroker(at, namespace=broker.topics.namespace)
        relay = Relay(target, engine)
        started.append(relay)
        relay.start()
        return relay

    yield start
    for relay in started:
        relay.stop()
