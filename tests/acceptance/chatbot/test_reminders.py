"""Reminders from the event to the mail: real Kafka, SMTP and databases, workers as an operator runs them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import dramatiq
import psycopg
import pytest
from sqlalchemy import update
from sqlalchemy.engine import make_url

from tasks.notifications.delivery_store import DeliveryStore
from tasks.reminders.by_hand import RemindersByHand
from tasks.reminders.firings import notice_for
from tasks.reminders.outcomes import ReminderState
from tasks.reminders.reminder import Reminder
from tasks.reminders.tables import reminders
from tasks.schedules.alarms import Alarm
from tasks.storage.database import Database
from tests.helpers.fleet import Fleet
from tests.helpers.programs import Done, todo_workers
from tests.helpers.samples import a_todo, an_event
from tests.helpers.smtp_server import SmtpServer
from tests.helpers.waiting import wait_for
from workers import KafkaBroker
from workers.dead_letters.reader import unresolved
from workers.kafka import connect_admin


class Chatbot:
    """A worker fleet on a database, and a mail server; jobs are put into its queue."""

    def __init__(self, broker: KafkaBroker, folder: Path, url: str, smtp: SmtpServer) -> None:
        self.broker = broker
        self.smtp = smtp
        self.url = url
        self.die_file = folder / "die"
        self.fleet = Fleet(broker, folder, app="tests.apps.reminders")
        self.env = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": broker.cluster.address,
            "KAFKA_NAMESPACE": broker.topics.namespace,
            "KAFKA_PARTITIONS": "4",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(smtp.port),
            "DATABASE_URL": url,
            "REMINDER_RECONCILE_EVERY": "1s",
            "REMINDERS_DIE_FILE": str(self.die_file),
        }
        self.fleet.env = self.env
        self.database = Database(url)

    def sync(self, event: Any) -> None:
        self.enqueue("sync_reminder", event.model_dump(mode="json"))

    def enqueue(self, actor: str, *arguments: Any) -> None:
        self.broker.enqueue(dramatiq.Message("reminders", actor, arguments, {}, {}))

    def reminders(self) -> list[Reminder]:
        return RemindersByHand(self.database).find(limit=50)[0]

    def wait_for_alarm(self) -> None:
        """Wait until Kafka has the alarm of the one reminder."""
        wait_for(lambda: [reminder.has_alarm for reminder in self.reminders()] == [True], timeout_s=60)

    def let_the_time_come(self, *, ago_s: float) -> None:
        """Let what is set for tomorrow be due now, while its alarm in Kafka is still for tomorrow."""
        with self.database.writing() as connection:
            connection.execute(update(reminders).values(alarm_at=soon(-ago_s)))

    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.smtp.mails]

    def command(self, *arguments: str, **variables: str) -> Done:
        return todo_workers("reminders", *arguments, env=self.env | variables)


@pytest.fixture
def queues() -> tuple[str, ...]:
    return ("reminders",)


@pytest.fixture
def chatbot(broker: KafkaBroker, tmp_path: Path, database_url: str) -> Iterator[Chatbot]:
    with SmtpServer() as smtp:
        chatbot = Chatbot(broker, tmp_path, database_url, smtp)
        yield chatbot
        chatbot.database.dispose()


on_sqlite = pytest.mark.parametrize("new_database_url", ["sqlite"], indirect=True)
quick_on_sqlite = pytest.mark.parametrize(
    "new_database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
on_postgresql = pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def created(title: str = "Buy milk", *, due: datetime, **todo: Any) -> Any:
    given: dict[str, Any] = {"title": title, "due": due, "reminders": ["0m"]}
    return an_event(time=datetime.now(UTC), todo=a_todo(**given | todo))


@quick_on_sqlite
def test_a_reminder_arrives_once_though_a_worker_dies_after_its_claim_and_its_alarm_comes_again(
    chatbot: Chatbot,
) -> None:
    chatbot.die_file.touch()
    with chatbot.fleet as fleet:
        fleet.wait_until_ready()
        due = soon(3)
        chatbot.sync(created(due=due, reminders=["0m", "-1d"]))
        assert fleet.wait() != 0, "a worker was to die"
        assert not chatbot.die_file.exists()
        assert chatbot.subjects() == []
        fleet.start()
        wait_for(chatbot.subjects, timeout_s=60)
        assert datetime.now(UTC) >= due
        (fired, _passed) = sorted(chatbot.reminders(), key=lambda reminder: reminder.before_due, reverse=True)
        # Alarms that come again, and once more: one that is outdated, one of the version that there is.
        for version in (1, 1, fired.version):
            chatbot.enqueue("fire_reminder", fired.id, version)
        chatbot.broker.join("reminders", timeout=60_000)
        assert fleet.stop() == 0
    assert chatbot.subjects() == ["Reminder: Buy milk"]
    assert [reminder.state for reminder in chatbot.reminders()] == [ReminderState.DONE] * 2


@on_sqlite
def test_what_cannot_be_followed_is_a_dead_letter_that_says_why(chatbot: Chatbot) -> None:
    with chatbot.fleet as fleet:
        for field, value in [
            ("recurrence", "FREQ=SECONDLY"),
            ("recurrence", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
            ("reminders", ["soon"]),
            ("owner", a_todo().owner.model_dump() | {"time_zone": "Mars/Olympus"}),
        ]:
            event = created(due=soon(86_400)).model_dump(mode="json")
            event["todo"][field] = value
            chatbot.enqueue("sync_reminder", event)
        chatbot.broker.join("reminders", timeout=60_000)
        assert fleet.stop() == 0
    topic = chatbot.broker.topics.dead_letters
    letters = [entry.letter for entry in unresolved(chatbot.broker.cluster, topic)]
    said = " ".join(str(letter.exception_message) for letter in letters)
    assert [letter.attempts for letter in letters] == [1] * 4
    for words in ("may not come every second", "no occurrence within", "like -1d", "'Mars/Olympus' is not"):
        assert words in said
    assert chatbot.reminders() == []


@pytest.mark.long
@on_sqlite
def test_alarms_that_were_lost_with_their_topics_are_set_again_and_tell_that_they_are_late(
    chatbot: Chatbot,
) -> None:
    chatbot.env["REMINDER_GRACE"] = "1s"
    with chatbot.fleet as fleet:
        chatbot.sync(created(due=soon(86_400)))
        chatbot.wait_for_alarm()
        assert fleet.stop() == 0
    topics = [chatbot.broker.topics.delay(tier.name) for tier in chatbot.broker.delay_tiers]
    admin = connect_admin(chatbot.broker.cluster)
    admin.delete_topics([*topics, chatbot.broker.topics.jobs("reminders")])
    admin.close()
    chatbot.let_the_time_come(ago_s=5)
    long_ago = datetime.now(UTC) - timedelta(days=91)
    notice = notice_for(str(uuid4()), a_todo(), Alarm(long_ago, long_ago), late=False)
    DeliveryStore(chatbot.database).opt_out(notice, now=long_ago)
    with chatbot.fleet as fleet:
        wait_for(chatbot.subjects, timeout_s=90)
        assert fleet.stop() == 0
    (mail,) = chatbot.smtp.mails
    assert mail["Subject"] == "Reminder: Buy milk"
    text = mail.get_body(("plain",))
    assert text is not None
    assert "This reminder is late: it was set for" in " ".join(text.get_content().split())
    assert "reminders.reconciled" in chatbot.fleet.log()
    assert "database.pruned deliveries=1 firings=0 todos=0" in chatbot.fleet.log()


@pytest.mark.long
@on_postgresql
def test_a_database_that_is_down_when_the_alarm_fires_delays_it_and_loses_nothing(
    chatbot: Chatbot, postgresql_server: str
) -> None:
    name = make_url(chatbot.url).database

    def allow(connections: bool) -> None:
        with psycopg.connect(postgresql_server, autocommit=True) as administrator:
            administrator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {connections}")
            if not connections:
                administrator.execute(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                )

    chatbot.env["REMINDER_RECONCILE_EVERY"] = "1h"
    with chatbot.fleet as fleet:
        chatbot.sync(created(due=soon(86_400)))
        chatbot.wait_for_alarm()
        (reminder,) = chatbot.reminders()
        chatbot.let_the_time_come(ago_s=0)
        allow(False)
        chatbot.enqueue("fire_reminder", reminder.id, reminder.version)
        wait_for(
            lambda: "Failed to process message fire_reminder" in fleet.log(),
            timeout_s=60,
        )
        assert chatbot.subjects() == []
        allow(True)
        wait_for(chatbot.subjects, timeout_s=90)
        assert fleet.stop() == 0
    assert chatbot.subjects() == ["Reminder: Buy milk"]


@on_sqlite
def test_the_commands_as_an_operator_types_them(chatbot: Chatbot, nowhere: str) -> None:
    with chatbot.fleet as fleet:
        chatbot.sync(created(due=soon(86_400)))
        chatbot.wait_for_alarm()
        (id_,) = (json.loads(line)["id"] for line in chatbot.command("list", "--json").stdout.splitlines())
        moved = chatbot.command("reschedule", id_[:8], "2s")
        assert (moved.returncode, moved.stderr) == (0, "")
        wait_for(chatbot.subjects, timeout_s=60)
        assert fleet.stop() == 0
    for arguments, variables, status, words in [
        (("show", f"{id_[:-1]}x"), {}, 1, f"near ones: {id_}"),
        (("reschedule", id_, "soon"), {}, 2, "is no time"),
        (("snooze", id_, "5m"), {"KAFKA_BOOTSTRAP_SERVERS": nowhere}, 1, nowhere),
        (("list",), {"DATABASE_URL": "postgresql://bot@127.0.0.1:1/todo"}, 1, "127.0.0.1:1/todo failed"),
    ]:
        done = chatbot.command(*arguments, **variables)
        assert (done.returncode, done.stderr.count("\n")) == (status, 1), done.stderr
        assert words in done.stderr
