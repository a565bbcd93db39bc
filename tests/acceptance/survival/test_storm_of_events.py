"""Workers of the whole chain are killed at random while events come in; `make storm` has 2,000 of them."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tasks.audit.trail import audit_trail
from tasks.audit.verify import verify
from tasks.events.models import Event
from tasks.notifications.delivery_store import DeliveryState, deliveries
from tasks.storage.database import Database
from tests.helpers.chatbot import Chatbot
from tests.helpers.kafka_reading import letters_of
from tests.helpers.samples import KINDS, a_todo, an_event
from tests.helpers.smtp_server import SmtpServer
from tests.helpers.waiting import wait_for
from workers import KafkaBroker
from workers.dead_letters.letter import Reason

EVENTS = int(os.environ.get("STORM_EVENTS", "120"))
KILLS = max(2, EVENTS // 400)
#: The connections of a worker process to the mail server, as set by default.
CONNECTIONS = 4
#: Generous for a machine that others use.
PATIENCE_S = 120 + EVENTS / 10
#: The jobs of an event that the test waits for.
QUEUES = ("events", "audit", "notifications", "reminders")

pytestmark = [pytest.mark.long, pytest.mark.timeout(3 * PATIENCE_S)]


@pytest.fixture
def queues() -> tuple[str, ...]:
    return QUEUES


@pytest.fixture
def broker(broker: KafkaBroker) -> KafkaBroker:
    """It has the log of events, too."""
    broker.add_source("events", broker.topics.named("events"), lambda record: pytest.fail(str(record)))
    return broker


def events() -> list[Event]:
    return [an_event(KINDS[number % 4], todo=a_todo(id=f"todo-{number % 50}")) for number in range(EVENTS)]


def test_workers_killed_at_random_leave_each_event_with_its_row_and_its_mail(
    broker: KafkaBroker, tmp_path: Path, database: Database
) -> None:
    published, chance = events(), random.Random(6)
    database_url = database.engine.url.render_as_string(hide_password=False)
    with (
        SmtpServer() as server,
        Chatbot(
            broker, tmp_path, database_url=database_url, smtp_port=server.port, SMTP_LEASE_S="5"
        ) as chatbot,
    ):
        chatbot.publish(published)
        for kill in range(1, KILLS + 1):
            enough = EVENTS * kill // (KILLS + 2) + chance.randrange(EVENTS // 20)
            wait_for(lambda enough=enough: server.count >= enough, timeout_s=PATIENCE_S)  # type: ignore[misc]
            chatbot.kill_a_worker()
            chatbot.wait()
            chatbot.start()
        join(broker)
        blamed = letters_of(broker)
        # After two deaths within seconds jobs run alone, one after the other: each later kill may hit one of
        # them, which is given up as if it had ended its process. An operator replays it.
        assert {letter.reason for letter in blamed} <= {Reason.CRASHED}
        assert len(blamed) <= KILLS - 2
        if blamed:
            chatbot.command("dead-letters", "replay", "--reason", Reason.CRASHED, "--yes")
        wait_for(lambda: count_of(database, DeliveryState.SENT) >= EVENTS, timeout_s=PATIENCE_S)
        join(broker)
        assert chatbot.stop() == 0
        mails = Counter(str(mail["Message-ID"]) for mail in server.mails)
        # On a machine that stands still: nobody knows whether the server took those either.
        unanswered = chatbot.log().count("was not sent within") + chatbot.log().count(
            "did not answer in time"
        )

    with database.reading() as connection:
        recorded = connection.execute(select(audit_trail.c.event_id)).scalars().all()
        tried_again = set(
            connection.execute(select(deliveries.c.id).where(deliveries.c.attempts > 1)).scalars()
        )
    repeated = {name for name, count in mails.items() if count > 1}
    lost = f"lost {EVENTS - len(set(recorded))} rows and {EVENTS - len(mails)} mails"
    repeats = f"repeated {len(repeated)} mails, blamed {len(blamed)} jobs"
    print(f"chatbot storm: {EVENTS} events, {KILLS} kills, {lost}, {repeats}")  # noqa: T201
    assert sorted(recorded) == sorted(str(event.event_id) for event in published)
    assert verify(database).told == []
    assert len(mails) == EVENTS
    assert letters_of(broker) == []
    # Only what a killed worker had in hand may come twice: it was claimed a second time.
    assert {name.strip("<>").partition("@")[0] for name in repeated} <= tried_again
    assert max(mails.values()) <= 2
    # A connection sends no mail before the last one is noted as sent.
    assert len(repeated) <= KILLS * CONNECTIONS + unanswered


def join(broker: KafkaBroker) -> None:
    """Wait until every job is done or given up."""
    for queue in QUEUES:
        broker.join(queue, timeout=int(PATIENCE_S * 1000))


def count_of(database: Database, state: DeliveryState) -> int:
    rows = select(func.count()).select_from(deliveries).where(deliveries.c.state == state)
    with database.reading() as connection:
        return connection.execute(rows).scalar_one()
