"""The audit trail from the event log: what is missing is added, what is there stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tasks.actors.events import job_of
from tasks.audit.reading import AuditFilter, newest
from tasks.audit.rebuild import rebuild
from tasks.audit.trail import AuditStore
from tasks.audit.verify import verify
from tasks.cli.audit_output import add_missing
from tasks.events.cloud_events import record_of
from tasks.events.models import parse_event
from tasks.storage.database import Database
from tests.helpers.records import Consumed
from tests.helpers.samples import KINDS, NOON, a_todo, an_event
from workers import Cluster, KafkaBroker
from workers.records.envelope import Record


def test_what_the_trail_lacks_is_added_once(
    broker: KafkaBroker, cluster: Cluster, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = broker.topics.named("events")
    broker.declare_queue("events")
    broker.add_source("events", topic, job_of, retention_ms=3_600_000)
    broker.prepare()
    events = [an_event(KINDS[number % 4], todo=a_todo(id=f"todo-{number}")) for number in range(8)]
    shared = {"specversion": "1.0", "id": "s-1", "source": "/app", "type": "todo.shared", "subject": "todo-1"}
    records = [record_of(event) for event in events]
    records += [records[3], Record(b"", json.dumps(shared | {"data": {"with": "Tom"}}).encode(), [])]
    for record in [*records, Record(b"", b"not an event", [])]:
        broker.producer.deliver(topic, record)
    # As whoever publishes writes it: whole, with its default values.
    events = [parse_event(event.model_dump(mode="json")) for event in events]
    changed = events[7].model_copy(update={"actor": "user:7"})
    AuditStore(database).record_all([events[2], changed], recorded_at=NOON)

    assert add_missing(database, cluster, topic) == 1
    shown = capsys.readouterr()
    assert f"11 records in {topic}: 7 added, 2 were there, 2 without a row" in shown.out
    assert "is no CloudEvent" in shown.err
    assert f"the row of event {events[7].event_id} says something else" in shown.err

    assert add_missing(database, cluster, topic) == 1
    assert "0 added, 9 were there, 2 without a row" in capsys.readouterr().out
    rows = list(newest(database, AuditFilter()))
    assert len(rows) == len(events) + 1
    assert {row["event_id"] for row in rows} > {str(event.event_id) for event in events}
    (unknown,) = newest(database, AuditFilter(type="todo.shared"))
    assert (unknown["todo_id"], unknown["details"]["data"]) == ("todo-1", {"with": "Tom"})
    assert verify(database).is_whole


def test_a_record_without_a_row_is_told_at_once() -> None:
    told: list[str] = []

    def records() -> Iterator[Any]:
        for offset in range(3):
            assert len(told) == offset
            yield Consumed("log", 0, offset, value=b"\x1b")

    store: Any = None  # nothing comes to it
    assert rebuild(store, records(), now=lambda: NOON, tell=told.append).problems == 3
    assert told[0].startswith("log/0/0: the record is no CloudEvent")


def test_a_batch_that_cannot_be_read_is_told_with_its_reason_and_hides_no_other(database: Database) -> None:
    why = "the batch of log/0, offsets 3 to 9, cannot be read: no such codec"
    # Whatever its bytes are by chance.
    batch = Consumed("log", 0, 9, value=record_of(an_event()).value, unreadable=why, first=3)
    behind = record_of(an_event(todo=a_todo(id="behind")))
    sound = Consumed("log", 0, 10, key=behind.key, value=behind.value, headers=behind.headers)
    told: list[str] = []
    done = rebuild(AuditStore(database), [batch, sound], now=lambda: NOON, tell=told.append)
    assert told == [f"log/0/9: {why}"]
    assert (done.records, done.problems) == (2, 1)
    (row,) = newest(database, AuditFilter())
    assert row["todo_id"] == "behind"


def test_a_topic_that_does_not_exist_is_said(
    cluster: Cluster, namespace: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add_missing(database, cluster, f"{namespace}.events") == 1
    assert f"there is no topic {namespace}.events" in capsys.readouterr().err
