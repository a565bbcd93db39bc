"""The effects of an event: at once by the job that handles it, or by jobs of their own where that fails."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tasks.audit.reading import AuditFilter, newest
from tasks.events.cloud_events import record_of
from tasks.storage.database import Database
from tests.helpers.chatbot import Chatbot
from tests.helpers.kafka_reading import letters_of, read_topic
from tests.helpers.ports import free_port
from tests.helpers.samples import a_todo, an_event, an_owner
from tests.helpers.shipped_metrics import shipped_names
from tests.helpers.smtp_server import REFUSED, SmtpServer
from tests.helpers.waiting import wait_for
from workers import KafkaBroker

#: The queues of the effects.
QUEUES = ("audit", "reminders", "notifications")


@pytest.fixture
def queues() -> tuple[str, ...]:
    return ("events", *QUEUES)


def a_chatbot(
    broker: KafkaBroker, folder: Path, server: SmtpServer, *queues: str, smtp_timeout_s: str = "10"
) -> Chatbot:
    own = folder / "-".join(["chatbot", *queues])
    own.mkdir()
    return Chatbot(
        broker,
        own,
        database_url=f"sqlite:///{folder}/todo.db",
        smtp_port=server.port,
        options=("--queues", *queues) if queues else (),
        # What is done is kept in the topics, to be looked at.
        WORKER_KEEP_DONE_HOURS="1",
        SMTP_TIMEOUT_S=smtp_timeout_s,
        SMTP_LEASE_S="300",
    )


def recorded(database: Database) -> set[str]:
    return {row["event_id"] for row in newest(database, AuditFilter())}


def jobs(broker: KafkaBroker) -> Counter[str]:
    """How many jobs there ever were of each effect, by actor."""
    records = [one for queue in QUEUES for one in read_topic(broker.cluster, broker.topics.jobs(queue))]
    actors = Counter(json.loads(record.value)["actor_name"] for record in records)
    actors.pop("reconcile_reminders", None)  # which comes at each start
    return actors


def wait_until_done(broker: KafkaBroker, *queues: str) -> None:
    for queue in queues:
        broker.join(queue, timeout=60_000)


def test_where_all_is_well_an_event_is_one_job(
    broker: KafkaBroker, sqlite: Database, server: SmtpServer, tmp_path: Path
) -> None:
    due = datetime.now(UTC) + timedelta(days=3)
    event = an_event(todo=a_todo(due=due, reminders=("-1h",)))
    http, chatbot = free_port(), a_chatbot(broker, tmp_path, server)
    chatbot.env |= {"WORKER_HTTP": str(http), "LOG_FORMAT": "json"}
    with chatbot:
        for _ in range(2):
            chatbot.publish([event])
            wait_for(lambda: server.count, timeout_s=60)
            wait_until_done(broker, "events")
        assert len(chatbot.command("reminders", "list", "--json").splitlines()) == 1
        require_shipped_metrics(http)
        assert chatbot.stop() == 0
    require_json(chatbot)
    assert recorded(sqlite) == {str(event.event_id)}
    assert server.count == 1
    assert not jobs(broker)


def test_a_slow_mail_server_holds_up_no_audit_row_and_no_reminder(
    broker: KafkaBroker, sqlite: Database, server: SmtpServer, tmp_path: Path
) -> None:
    due = datetime.now(UTC) + timedelta(days=3)
    published = [an_event(todo=a_todo(id=f"todo-{n}", due=due, reminders=("-1h",))) for n in range(40)]
    may_answer = threading.Event()

    def hold(_mail: EmailMessage) -> None:
        assert may_answer.wait(120)

    server.on_content = hold
    # One process does all: its threads are fewer than the mails that wait.
    with a_chatbot(broker, tmp_path, server, smtp_timeout_s="120") as chatbot:
        chatbot.publish(published[:30])
        wait_for(lambda: made_of_mails(broker), timeout_s=60)
        chatbot.publish(published[30:])
        wait_for(lambda: recorded(sqlite) == {str(event.event_id) for event in published}, timeout_s=60)
        wait_for(lambda: reminders_of(chatbot) == 40, timeout_s=60)
        assert server.count == 0
        may_answer.set()
        wait_for(lambda: server.count == 40, timeout_s=120)
        wait_until_done(broker, "events", "audit", "notifications")  # the alarms of the reminders wait
        assert chatbot.stop() == 0
    assert len({mail["Message-ID"] for mail in server.mails}) == server.count == 40
    made = jobs(broker)
    # Those for which no connection was free.
    assert 0 < made.pop("send_notification") < 40
    assert not made


def made_of_mails(broker: KafkaBroker) -> int:
    return jobs(broker)["send_notification"]


def require_shipped_metrics(port: int) -> None:
    """What the shipped dashboard and alerts name is in a scrape, but for what only a bridge has."""
    wanted = {name for name in shipped_names() if not name.startswith("bridge_")}

    def lacking() -> set[str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
            families = text_string_to_metric_families(response.read().decode())
        # The parser takes the end of a counter's name away.
        return wanted - {name for one in families for name in (one.name, f"{one.name}_total")}

    wait_for(lambda: not lacking(), timeout_s=60)


def require_json(chatbot: Chatbot) -> None:
    """Each line of a worker's log is an object; dramatiq's main process has a log of its own."""
    lines = [line for line in chatbot.log().splitlines() if "dramatiq.MainProcess" not in line]
    read = [json.loads(line) for line in lines]
    assert any(line["message"].startswith("event.handled") for line in read)
    assert all({"time", "level", "logger", "process", "thread"} <= line.keys() for line in read)


def reminders_of(chatbot: Chatbot) -> int:
    return len(chatbot.command("reminders", "list", "--json").splitlines())


def test_what_fails_becomes_a_job_of_its_own_and_nothing_else_does(
    broker: KafkaBroker, sqlite: Database, server: SmtpServer, tmp_path: Path
) -> None:
    refused = an_event(todo=a_todo(id="todo-1", owner=an_owner(email=REFUSED)))
    good = an_event(todo=a_todo(id="todo-2"))
    with a_chatbot(broker, tmp_path, server) as chatbot:
        chatbot.publish([refused])
        (letter,) = wait_for(lambda: letters_of(broker), timeout_s=60)
        wait_until_done(broker, "events", "notifications")
        chatbot.publish([good])
        wait_for(lambda: server.count, timeout_s=60)
        wait_until_done(broker, "events", "notifications")
        assert chatbot.stop() == 0
    assert (letter.actor, letter.queue, letter.attempts) == ("send_notification", "notifications", 1)
    assert recorded(sqlite) == {str(refused.event_id), str(good.event_id)}
    # A refusal is about one mail: the next one goes out at once again.
    assert jobs(broker) == {"send_notification": 1}


def test_an_address_that_is_none_costs_no_audit_row_and_its_dead_letters_say_why(
    broker: KafkaBroker, sqlite: Database, server: SmtpServer, tmp_path: Path
) -> None:
    due = datetime.now(UTC) + timedelta(days=3)
    event = an_event(todo=a_todo(due=due, reminders=("-1h",)))
    # Another service writes it: our own publisher refuses it.
    record = record_of(event)
    value = (record.value or b"").replace(b"ana@example.com", b"nobody")
    with a_chatbot(broker, tmp_path, server) as chatbot:
        chatbot.publish([an_event()])
        wait_for(lambda: server.count, timeout_s=60)
        broker.producer.deliver(broker.topics.named("events"), record._replace(value=value))
        wait_for(lambda: len(letters_of(broker)) == 2, timeout_s=60)
        letters = letters_of(broker)
        assert str(event.event_id) in recorded(sqlite)
        assert {letter.actor for letter in letters} == {"sync_reminder", "send_notification"}
        assert all(
            "todo.owner.email: is not an e-mail" in str(letter.exception_message) for letter in letters
        )
        mended = ("--set", "args.0.todo.owner.email=ana@example.com", "--yes")
        chatbot.command("dead-letters", "replay", *(letter.id for letter in letters), *mended)
        wait_for(lambda: server.count == 2, timeout_s=60)
        wait_for(lambda: chatbot.command("reminders", "list", "--json"), timeout_s=60)
        assert chatbot.stop() == 0
