"""From a transaction to Kafka: what is committed arrives, in order; what is rolled back never does."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.orm import Session

from tests.helpers.kafka_reading import read_topic
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.outbox.adding import add
from workers.outbox.errors import OutboxUnavailable
from workers.outbox.outbox import Outbox
from workers.outbox.table import ROWS
from workers.records.envelope import Record, decode
from workers.records.headers import text_of

from .conftest import Actor, StartRelay


def orders(broker: KafkaBroker, queue: str = "invoices") -> list[str]:
    """The arguments of the jobs in Kafka, partition by partition."""
    records = read_topic(broker.cluster, broker.topics.jobs(queue))
    return [decode(record.value, queue).args[0] for record in records]


def waiting(engine: Engine) -> int:
    return Outbox(engine).status().waiting


def test_a_message_is_sent_with_the_commit_and_not_at_all_after_a_rollback(
    engine: Engine, broker: KafkaBroker, send_invoice: Actor, start_relay: StartRelay
) -> None:
    relay = start_relay()
    with Session(engine) as session:
        kept = send_invoice.send_in(session, "o-1")  # type: ignore[attr-defined]
        session.commit()
        send_invoice.send_in(session, "o-2")  # type: ignore[attr-defined]
        session.rollback()
        with session.begin(), session.begin_nested() as part:
            send_invoice.send_in(session, "o-3")  # type: ignore[attr-defined]
            part.rollback()
        with session.begin():
            send_invoice.send_in(session, "o-4")  # type: ignore[attr-defined]
    wait_for(lambda: relay.counts.published >= 2)
    assert sorted(orders(broker)) == ["o-1", "o-4"]
    (first,) = [
        record
        for record in read_topic(broker.cluster, broker.topics.jobs("invoices"))
        if b"o-1" in record.value
    ]
    assert text_of("message-id", first.headers) == kept.message_id
    assert waiting(engine) == 0


def test_messages_of_one_key_arrive_in_the_order_of_their_commits(
    engine: Engine, broker: KafkaBroker, send_invoice: Actor, start_relay: StartRelay
) -> None:
    numbers = [f"{number:03}" for number in range(60)]
    for start in range(0, 60, 6):
        with Session(engine) as session, session.begin():
            for number in numbers[start : start + 6]:
                message = send_invoice.message_with_options(args=(number,), key=f"user:{int(number) % 2}")
                broker.enqueue_in(session, message)
    relay = start_relay()
    wait_for(lambda: relay.counts.published == 60)
    found = orders(broker)
    assert sorted(found) == numbers
    for user in range(2):
        own = [number for number in found if int(number) % 2 == user]
        assert own == sorted(own)


def test_a_transaction_that_commits_late_is_not_skipped(
    postgresql_engine: Engine, broker: KafkaBroker, send_invoice: Actor, start_relay: StartRelay
) -> None:
    relay = start_relay()
    with Session(postgresql_engine) as late, Session(postgresql_engine) as early:
        send_invoice.send_in(late, "late")  # type: ignore[attr-defined]
        late.flush()  # its row has its number, the lower one
        send_invoice.send_in(early, "early")  # type: ignore[attr-defined]
        early.commit()
        wait_for(lambda: relay.counts.published == 1)
        assert orders(broker) == ["early"]
        late.commit()
    wait_for(lambda: relay.counts.published == 2)
    assert sorted(orders(broker)) == ["early", "late"]


@pytest.fixture
def new_database_url(request: pytest.FixtureRequest, new_database_url: str) -> str:
    """Both kinds of databases, but one for a test that asks for it by its name."""
    if "postgresql_engine" in request.fixturenames and not new_database_url.startswith("postgresql"):
        pytest.skip("SQLite has one writer at a time")
    return new_database_url


@pytest.fixture
def postgresql_engine(engine: Engine) -> Engine:
    return engine


def test_kafka_that_is_away_fails_no_caller_and_what_was_committed_arrives_later(
    engine: Engine,
    broker: KafkaBroker,
    send_invoice: Actor,
    start_relay: StartRelay,
    *,
    nowhere: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    relay = start_relay(Cluster((nowhere,), connect_timeout_s=0.2, send_timeout_s=0.5))
    with Session(engine) as session, session.begin():
        send_invoice.send_in(session, "o-1")  # type: ignore[attr-defined]
    wait_for(lambda: "cannot be reached" in caplog.text)
    relay.stop()
    assert waiting(engine) == 1
    relay = start_relay()
    wait_for(lambda: relay.counts.published == 1)
    assert orders(broker) == ["o-1"]


def test_a_row_that_kafka_never_takes_is_set_aside_and_stops_no_other(
    engine: Engine, broker: KafkaBroker, send_invoice: Actor, start_relay: StartRelay
) -> None:
    topic = broker.topics.jobs("invoices")
    too_large = Record(b"todo-1", b"x" * 1_200_000, [])
    with Session(engine) as session, session.begin():
        add(session, topic, too_large, name="id-1", about="todo.created")
        for number in range(3):
            send_invoice.send_in(session, f"o-{number}")  # type: ignore[attr-defined]
        add(session, topic, Record(b"todo-1", b"later", []), name="id-2", about="todo.updated")
        session.flush()
        for value in ("\N{SNOWMAN}", None, 5):
            session.execute(insert(ROWS).values(_strange_row(topic, value)))
        add(session, "no/topic", Record(b"todo-1", b"x", []), name="id-3", about="todo.created")
    relay = start_relay()
    wait_for(lambda: (relay.counts.set_aside, relay.counts.published) == (5, 4))
    outbox = Outbox(engine)
    large, *strange, nowhere = outbox.rows(aside=True, limit=10)
    assert (large["name"], large["about"], large["key"]) == ("id-1", "todo.created", "todo-1")
    assert large["error"].startswith("MessageTooLarge")
    assert [row["error"].partition(":")[0] for row in strange] == [
        "UnicodeEncodeError",
        "AttributeError",
        "AttributeError",
    ]
    assert nowhere["error"].startswith("ValueError: Topic name")
    assert outbox.status().set_aside == 5
    assert outbox.drop([nowhere["id"], *(row["id"] for row in strange[1:])]) == 3
    # It is tried again, and only then.
    assert outbox.retry([large["id"]]) == 1
    wait_for(lambda: relay.counts.set_aside == 6)
    assert outbox.drop([large["id"]]) == 1
    assert outbox.retry(None) == 1
    wait_for(lambda: relay.counts.set_aside == 7)
    assert outbox.drop(None) == 1
    assert (outbox.status().waiting, outbox.status().set_aside) == (0, 0)
    assert outbox.status().is_relayed


def _strange_row(topic: str, value: object) -> dict[str, Any]:
    """A row that no program of ours has written: its header's value is no text of bytes in Latin-1."""
    return {
        "topic": topic,
        "key": b"todo-9",
        "is_ordered": True,
        "value": b"strange",
        "headers": [["name", value]],
        "name": "id-9",
        "about": "strange",
        "size": 10,
        "added_ms": 0,
    }


def test_a_row_that_waits_cannot_be_dropped(engine: Engine, send_invoice: Actor) -> None:
    with Session(engine) as session, session.begin():
        send_invoice.send_in(session, "o-1")  # type: ignore[attr-defined]
    outbox = Outbox(engine)
    (row,) = outbox.rows(aside=False, limit=10)
    assert (outbox.drop([row["id"]]), outbox.drop(None), outbox.retry(None)) == (0, 0, 0)
    status = outbox.status()
    assert (status.waiting, status.is_relayed) == (1, False)
    assert status.oldest_s is not None


def test_rows_of_a_topic_that_is_missing_wait_and_stop_no_other(
    engine: Engine, broker: KafkaBroker, send_invoice: Actor, start_relay: StartRelay
) -> None:
    elsewhere = broker.topics.named("elsewhere")
    with Session(engine) as session, session.begin():
        for number in range(3):
            record = Record(b"todo-1", b"value", [])
            add(session, elsewhere, record, name=f"id-{number}", about="todo.created")
            send_invoice.send_in(session, f"o-{number}")  # type: ignore[attr-defined]
    relay = start_relay()
    wait_for(lambda: relay.counts.published == 3)
    assert waiting(engine) == 3
    broker.declare_queue("elsewhere")


def test_one_relay_works_and_another_takes_over_when_it_stops(
    engine: Engine, broker: KafkaBroker, send_invoice: Actor, start_relay: StartRelay
) -> None:
    first = start_relay()
    wait_for(lambda: first.counts.leads)
    second = start_relay()
    with Session(engine) as session, session.begin():
        send_invoice.send_in(session, "o-1")  # type: ignore[attr-defined]
    wait_for(lambda: first.counts.published == 1)
    first.stop()
    wait_for(lambda: second.counts.leads)
    with Session(engine) as session, session.begin():
        send_invoice.send_in(session, "o-2")  # type: ignore[attr-defined]
    wait_for(lambda: second.counts.published == 1)
    assert sorted(orders(broker)) == ["o-1", "o-2"]


def test_a_delay_counts_from_the_call_and_the_tier_is_chosen_when_the_row_is_written(
    engine: Engine, broker: KafkaBroker, send_invoice: Actor, start_relay: StartRelay
) -> None:
    began_ms = time.time_ns() // 1_000_000
    with Session(engine) as session, session.begin():
        broker.enqueue_in(session, send_invoice.message("soon"), delay=timedelta(hours=2))
        broker.enqueue_in(session, send_invoice.message("late"), delay=10)
    wait_for(lambda: time.time_ns() // 1_000_000 > began_ms + 50)
    relay = start_relay()
    wait_for(lambda: relay.counts.published == 2)
    assert orders(broker) == ["late"]
    (delayed,) = read_topic(broker.cluster, broker.topics.delay("1h"))
    eta_ms = int(text_of("eta", delayed.headers) or 0)
    assert eta_ms - began_ms == pytest.approx(2 * 3_600_000, abs=60_000)


def test_an_outbox_without_its_table_is_told_in_a_line(engine: Engine, send_invoice: Actor) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE outbox"))
    with pytest.raises(OutboxUnavailable, match=r"The outbox in .* cannot be used: .*outbox"):
        Outbox(engine).status()


def test_sqlite_keeps_its_lock_beside_the_database(
    engine: Engine, start_relay: StartRelay, tmp_path: Path
) -> None:
    relay = start_relay()
    wait_for(lambda: relay.counts.leads)
    is_sqlite = engine.dialect.name == "sqlite"
    assert [file.name for file in tmp_path.glob("*.lock")] == ["todo.db-outbox.lock"] * is_sqlite
