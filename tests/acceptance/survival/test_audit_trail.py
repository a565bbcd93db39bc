"""The audit trail when workers die and the database is away: a row for each event, and a whole chain."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from sqlalchemy import func, select

from tasks.audit.reading import AuditFilter, newest
from tasks.audit.trail import audit_trail
from tasks.audit.verify import verify
from tasks.events.models import Event
from tasks.storage.database import Database
from tests.helpers.fleet import Fleet
from tests.helpers.kafka_reading import letters_of
from tests.helpers.samples import KINDS, a_todo, an_event
from tests.helpers.waiting import wait_for
from workers import KafkaBroker

EVENTS = 2_000

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def queues() -> tuple[str, ...]:
    return ("audit",)


def audit_workers(broker: KafkaBroker, folder: Path, database_url: str) -> Fleet:
    fleet = Fleet(broker, folder, processes=2, app="tests.apps.chatbot", options=("--queues", "audit"))
    fleet.env |= {
        "KAFKA_BOOTSTRAP_SERVERS": broker.cluster.address,
        "KAFKA_NAMESPACE": broker.topics.namespace,
        "KAFKA_PARTITIONS": "4",
        "DATABASE_URL": database_url,
    }
    return fleet


def send(broker: KafkaBroker, count: int) -> list[Event]:
    events = [an_event(KINDS[number % 4], todo=a_todo(id=f"todo-{number % 50}")) for number in range(count)]
    with broker.batch():
        for event in events:
            args = (event.model_dump(mode="json"),)
            broker.enqueue(dramatiq.Message[None]("audit", "record_audit", args, {}, {}))
    return events


def rows(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(audit_trail)).scalar_one()


def require_each_once(broker: KafkaBroker, database: Database, events: Sequence[Event]) -> None:
    recorded = [row["event_id"] for row in newest(database, AuditFilter())]
    assert sorted(recorded) == sorted(str(event.event_id) for event in events)
    assert verify(database).told == []
    assert letters_of(broker) == []


@pytest.mark.long
def test_a_worker_killed_at_random_leaves_each_event_with_one_row(
    broker: KafkaBroker, tmp_path: Path, database_url: str, database: Database
) -> None:
    events = send(broker, EVENTS)
    with audit_workers(broker, tmp_path, database_url) as fleet:
        enough = random.randrange(50, EVENTS // 2)
        wait_for(lambda: rows(database) >= enough, timeout_s=120)
        fleet.kill_a_worker()
        assert fleet.wait() != 0
        assert rows(database) < EVENTS, f"killed too late to show anything, after {enough} rows"
        fleet.start()
        wait_for(lambda: rows(database) >= EVENTS, timeout_s=120)
        broker.join("audit", timeout=60_000)
        assert fleet.stop() == 0
    require_each_once(broker, database, events)


def survive_an_outage(broker: KafkaBroker, folder: Path, database_url: str, end: Callable[[], None]) -> None:
    """Send events while the database is away, end the outage, and see each event's row."""
    events = send(broker, 40)
    with audit_workers(broker, folder, database_url) as fleet:
        wait_for(lambda: "tasks.storage.engine.DatabaseUnavailable" in fleet.log(), timeout_s=60)
        events += send(broker, 10)
        end()
        database = Database(database_url)
        wait_for(lambda: rows(database) >= len(events), timeout_s=90)
        assert fleet.stop() == 0
    require_each_once(broker, database, events)
    database.dispose()


@pytest.mark.long
def test_postgresql_away_for_a_while_costs_no_row_and_repeats_none(
    broker: KafkaBroker, tmp_path: Path, start_postgresql: Callable[[], Any]
) -> None:
    server = start_postgresql()
    database = Database(server.get_uri())
    database.upgrade()
    database.dispose()
    server.stop()
    survive_an_outage(broker, tmp_path, server.get_uri(), server.start)
    server.stop()


def test_sqlite_away_for_a_while_costs_no_row_and_repeats_none(broker: KafkaBroker, tmp_path: Path) -> None:
    folder = tmp_path / "not-mounted-yet"
    survive_an_outage(broker, tmp_path, f"sqlite:///{folder}/todo.db", folder.mkdir)
