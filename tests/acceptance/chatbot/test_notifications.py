"""Mails from real workers: every one once, through what happens to workers, mail server and database."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tasks.events.models import Event
from tasks.notifications.delivery_store import DeliveryState, DeliveryStore, deliveries
from tasks.notifications.quiet_hours import parse_quiet_hours
from tasks.notifications.recipients import RecipientStore
from tasks.storage.database import Database
from tests.helpers.chatbot import Chatbot
from tests.helpers.samples import a_todo, an_event, an_owner
from tests.helpers.smtp_server import SmtpServer
from tests.helpers.waiting import wait_for
from workers import KafkaBroker

QUEUES = ("events", "audit", "notifications")


@pytest.fixture
def queues() -> tuple[str, ...]:
    return QUEUES


def url(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


def events(count: int) -> list[Event]:
    return [an_event(todo=a_todo(id=f"todo-{n}", title=f"Todo {n}", due=None)) for n in range(count)]


def subjects(server: SmtpServer) -> Counter[str]:
    return Counter(str(mail["Subject"]) for mail in server.mails)


def once(count: int) -> Counter[str]:
    return Counter(f"New todo: Todo {n}" for n in range(count))


def count_of(database: Database, state: DeliveryState) -> int:
    rows = select(func.count()).select_from(deliveries).where(deliveries.c.state == state)
    with database.reading() as connection:
        return connection.execute(rows).scalar_one()


def wait_until_done(broker: KafkaBroker) -> None:
    for queue in QUEUES:
        broker.join(queue, timeout=90_000)


def test_a_mail_server_that_is_down_for_a_while_gets_every_mail_once(
    broker: KafkaBroker, sqlite: Database, tmp_path: Path
) -> None:
    server = SmtpServer()
    with Chatbot(broker, tmp_path, database_url=url(sqlite), smtp_port=server.port) as chatbot:
        chatbot.publish(events(30))
        wait_for(lambda: count_of(sqlite, DeliveryState.FAILED) == 30, timeout_s=60)
        with server:
            wait_for(lambda: server.count >= 15, timeout_s=60)
            server.stop()
            server.start()
            wait_for(lambda: count_of(sqlite, DeliveryState.SENT) == 30, timeout_s=90)
            wait_until_done(broker)
            assert subjects(server) == once(30)


@pytest.mark.long
def test_a_database_that_is_down_for_a_while_costs_no_mail_and_repeats_none(
    broker: KafkaBroker, tmp_path: Path, start_postgresql: Callable[[], Any]
) -> None:
    postgresql = start_postgresql()
    database = Database(postgresql.get_uri())
    database.upgrade()
    with (
        SmtpServer() as server,
        Chatbot(broker, tmp_path, database_url=url(database), smtp_port=server.port) as chatbot,
    ):
        published = events(60)
        chatbot.publish(published[:30])
        wait_for(lambda: server.count >= 10, timeout_s=60)
        postgresql.stop()
        chatbot.publish(published[30:])
        # A worker whose threads all have a mail that is to be noted as sent takes nothing else meanwhile.
        noticed = ("DatabaseUnavailable", "notice.not_settled")
        wait_for(lambda: any(word in chatbot.log() for word in noticed), timeout_s=60)
        postgresql.start()
        wait_for(lambda: server.count >= 60, timeout_s=90)
        wait_until_done(broker)
        assert subjects(server) == once(60)
        assert count_of(database, DeliveryState.SENT) == 60
    database.dispose()
    postgresql.stop()


@pytest.mark.long
def test_what_is_published_in_quiet_hours_waits_as_one_job(
    broker: KafkaBroker, sqlite: Database, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    start, end = now - timedelta(hours=1), now + timedelta(hours=2)
    zone = {"time_zone": "UTC"}
    event = an_event(todo=a_todo(owner=an_owner(**zone)))
    RecipientStore(sqlite).set_quiet_hours("ana@example.com", parse_quiet_hours(f"{start:%H:%M}-{end:%H:%M}"))
    with (
        SmtpServer() as server,
        Chatbot(broker, tmp_path, database_url=url(sqlite), smtp_port=server.port) as chatbot,
    ):
        chatbot.publish([event, event])
        row = wait_for(lambda: DeliveryStore(sqlite).latest("ana@example.com", limit=1), timeout_s=60)[0]
        assert (row.state, row.until) == (DeliveryState.POSTPONED, end.replace(second=0, microsecond=0))
        for queue in ("events", "audit"):
            broker.join(queue, timeout=60_000)
        listed = [json.loads(line) for line in chatbot.command("delayed", "list", "--json").splitlines()]
        assert {job["actor"] for job in listed} == {"send_notice"}
        assert len({job["message_id"] for job in listed}) == 1
        assert row.id in chatbot.command("recipients", "show", "ana@example.com")
        assert not server.envelopes
        # Whoever ends them meanwhile gets what comes from now on at once.
        assert "none" in chatbot.command("recipients", "quiet-hours", "ana@example.com", "off")
        chatbot.publish([event])
        wait_for(lambda: server.count, timeout_s=60)
        assert chatbot.stop() == 0
        assert server.count == 1


@pytest.mark.long
def test_a_server_of_another_encoding_refuses_once_and_unusual_addresses_are_mailed(
    broker: KafkaBroker, sqlite: Database, tmp_path: Path
) -> None:
    addresses = ["ana@corp.local", "ana@localhost", "ana@example.test", "jörg@bücher.example"]
    unusual = [an_event(todo=a_todo(id=f"todo-{email}", owner=an_owner(email=email))) for email in addresses]
    refused = an_event()
    sender = "Täglich <todo@bücher.example>"
    with (
        SmtpServer(enable_SMTPUTF8=True) as server,
        Chatbot(
            broker, tmp_path, database_url=url(sqlite), smtp_port=server.port, SMTP_SENDER=sender
        ) as chatbot,
    ):
        # The effects of an event at once, and the job that is left of it, meet the refusal.
        server.replies["RCPT"].extend(["550 5.1.1 Empfänger unbekannt".encode("latin-1")] * 2)
        chatbot.publish([refused])
        shown = wait_for(lambda: chatbot.command("dead-letters", "list", "--json"), timeout_s=60)
        (letter,) = map(json.loads, shown.splitlines())
        assert (letter["actor"], letter["attempts"]) == ("send_notification", 1)
        assert r"550 5.1.1 Empf\xe4nger unbekannt" in letter["error"]
        (row,) = DeliveryStore(sqlite).latest("ana@example.com", limit=2)
        assert (row.state, row.claim) == (DeliveryState.FAILED, None)
        chatbot.publish(unusual)
        wait_for(lambda: server.count == len(addresses), timeout_s=60)
        assert chatbot.stop() == 0
    assert {envelope.rcpt_tos[0] for envelope in server.envelopes} == {
        *addresses[:3],
        "jörg@xn--bcher-kva.example",
    }
    assert {envelope.mail_from for envelope in server.envelopes} == {"todo@xn--bcher-kva.example"}
