"""The event log as the chatbot, other services and operators use it: Kafka, workers and database are real."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from tasks.actors.events import EVENT_LOG_RETENTION_MS, job_of
from tasks.events.cloud_events import record_of
from tests.helpers.fleet import Fleet
from tests.helpers.kafka_reading import read_topic
from tests.helpers.other_services import foreign_producer
from tests.helpers.programs import output_of, run_warm
from tests.helpers.samples import a_todo, an_event
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.dead_letters import reader as dead_letter_reader
from workers.dead_letters.letter import DeadLetter

#: Everything but the mails: nothing here listens for them.
QUEUES = ("--queues", "events", "audit")
#: How many a worker is killed among.
EVENTS = 600


class Chatbot:
    """Workers that record, and the eyes of whoever looks on."""

    def __init__(self, broker: KafkaBroker, folder: Path) -> None:
        self.broker = broker
        self.log = broker.topics.named("events")
        self.database = folder / "todo.db"
        self.fleet = Fleet(broker, folder, app="tests.apps.chatbot", options=QUEUES)
        self.fleet.env |= {
            "KAFKA_BOOTSTRAP_SERVERS": broker.cluster.address,
            "KAFKA_NAMESPACE": broker.topics.namespace,
            "KAFKA_PARTITIONS": "2",
            "DATABASE_URL": f"sqlite:///{self.database}",
        }

    def run(self, *command: str, stdin: str = "") -> str:
        """Run a program of this Python as the chatbot would."""
        return output_of(run_warm(*command, env=self.fleet.env, stdin=stdin))

    def make_log(self) -> None:
        """Make the topic before the workers do."""
        self.broker.add_source("events", self.log, job_of, retention_ms=EVENT_LOG_RETENTION_MS)
        self.broker.prepare()

    def rows(self) -> dict[str, dict[str, Any]]:
        """The audit trail by event id."""
        if not self.database.exists():
            return {}
        connection = sqlite3.connect(self.database, timeout=30)
        connection.row_factory = sqlite3.Row
        try:
            found = connection.execute("SELECT * FROM audit_trail").fetchall()
        except sqlite3.OperationalError:  # the workers have not made it yet
            return {}
        finally:
            connection.close()
        return {row["event_id"]: dict(row) for row in found}

    def letters(self) -> list[DeadLetter]:
        entries = dead_letter_reader.unresolved(self.broker.cluster, self.broker.topics.dead_letters)
        return [entry.letter for entry in entries]

    def logged(self) -> list[tuple[bytes | None, bytes | None]]:
        return [(record.key, record.value) for record in read_topic(self.broker.cluster, self.log)]


@pytest.fixture
def chatbot(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Chatbot]:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=2)
    chatbot = Chatbot(broker, tmp_path)
    yield chatbot
    broker.close()


@pytest.fixture
def write(chatbot: Chatbot) -> Iterator[Callable[..., None]]:
    """Another service, which knows the event log, and no message of ours."""
    chatbot.make_log()
    with foreign_producer(chatbot.broker.cluster) as producer:

        def send(value: bytes | None, key: bytes | None = None, headers: Any = ()) -> None:
            producer.send(chatbot.log, value, key=key, headers=list(headers)).get(30)

        yield send


def foreign(number: int, **attributes: Any) -> CloudEvent:
    data = an_event().model_dump(mode="json", include={"actor", "todo"})
    given = {"id": f"shop-{number}", "source": "/shop", "type": "todo.created", "subject": "todo-1"}
    return CloudEvent(given | {"datacontenttype": "application/json"} | attributes, data)


def test_whoever_writes_an_event_and_however_it_is_recorded(
    chatbot: Chatbot, write: Callable[..., None]
) -> None:
    ours = an_event(colour="red", todo=a_todo(priority="high"))
    record = record_of(ours)
    write(record.value, record.key, record.headers)
    write(record.value, record.key, record.headers)  # published twice
    for mode in (to_binary_event, to_structured_event):
        message = mode(foreign(len(mode.__name__), tenant="eu"))
        write(message.value, b"\xff", message.headers.items())
    by_hand = {"specversion": "1.0", "id": "1", "source": "/by-hand", "type": "list.shared", "data": [1, 2]}
    write(json.dumps(by_hand).encode())
    with chatbot.fleet:
        wait_for(lambda: len(chatbot.rows()) == 4, timeout_s=60)
        assert chatbot.fleet.stop() == 0
    rows = chatbot.rows()
    assert Counter(row["type"] for row in rows.values()) == {"todo.created": 3, "list.shared": 1}
    mine = rows[str(ours.event_id)]
    place = json.loads(mine["details"]).pop("log_position")
    assert place.keys() == {"partition", "offset", "written_ms"}
    assert json.loads(mine["details"]) == {"colour": "red", "log_position": place}
    assert json.loads(mine["after"])["priority"] == "high"
    details = [json.loads(row["details"]) for row in rows.values()]
    contexts = [detail["cloudevent"] for detail in details if "cloudevent" in detail]
    assert sorted((c["source"], c["id"], c.get("tenant")) for c in contexts) == [
        ("/by-hand", "1", None),
        ("/shop", "shop-15", "eu"),
        ("/shop", "shop-19", "eu"),
    ]
    assert [detail["data"] for detail in details if "data" in detail] == [[1, 2]]
    assert chatbot.letters() == []
    assert len(chatbot.logged()) == 5


def test_what_is_wrong_is_a_dead_letter_in_words_and_the_log_goes_on_and_stays_as_it_was(
    chatbot: Chatbot, write: Callable[..., None]
) -> None:
    bad = to_structured_event(foreign(1))
    bad = json.loads(bad.value)
    bad["data"]["todo"]["title"] = " "
    unwritable = json.loads(to_structured_event(foreign(3)).value)
    unwritable["data"]["todo"]["owner"]["email"] = "nobody"
    newer = to_binary_event(foreign(2, dataschema="urn:todo-workers:event:todo.created:2"))
    write(b"\xff\xfe garbage", b"a")
    write(None, b"a")
    write(json.dumps(bad).encode(), b"a")
    write(json.dumps(unwritable).encode(), b"a")
    write(newer.value, b"a", newer.headers.items())
    good = record_of(an_event())
    write(good.value, b"a", good.headers)
    before = chatbot.logged()
    with chatbot.fleet:
        wait_for(lambda: len(chatbot.letters()) == 4, timeout_s=60)
        # What cannot be mailed is recorded all the same.
        wait_for(lambda: len(chatbot.rows()) == 2, timeout_s=60)
        by_error = {letter.exception_message or "": letter for letter in chatbot.letters()}
        for words, reason in (
            ("its value is not JSON", "undecodable"),
            ("it has no value", "undecodable"),
            ("its schema has the major version 2, this worker understands up to 1", "undecodable"),
            ("todo.title: must not be blank", "invalid-arguments"),
        ):
            (letter,) = (letter for error, letter in by_error.items() if words in error)
            assert (letter.reason, letter.queue, letter.origin.topic) == (reason, "events", chatbot.log)

        (whole,) = (letter for letter in chatbot.letters() if letter.actor == "handle_event")
        mended = ("--set", "args.0.todo.title=Buy milk", "--yes")
        chatbot.run("-m", "workers", "dead-letters", "replay", whole.id, *mended)
        wait_for(lambda: whole.id in chatbot.rows(), timeout_s=60)

        chatbot.run("-m", "workers", "dead-letters", "replay", "--reason", "undecodable", "--yes")
        wait_for(lambda: [letter.replays for letter in chatbot.letters()] == [1, 1, 1], timeout_s=60)
        assert {letter.value for letter in chatbot.letters()} == {b"\xff\xfe garbage", None, newer.value}
        assert chatbot.fleet.stop() == 0
    assert chatbot.logged() == before
    assert len(chatbot.rows()) == 3


@pytest.mark.long
def test_workers_killed_while_they_read_the_log_lose_no_event(chatbot: Chatbot) -> None:
    chatbot.make_log()
    events = [an_event(todo=a_todo(id=f"todo-{number}")) for number in range(EVENTS)]
    futures = [chatbot.broker.producer.send(chatbot.log, record_of(event)) for event in events]
    for future in futures:
        future.get(30)
    with chatbot.fleet as fleet:
        wait_for(lambda: len(chatbot.rows()) > EVENTS // 5, timeout_s=60)
        fleet.kill_a_worker()
        assert fleet.wait() != 0
        assert len(chatbot.rows()) < EVENTS, "the worker was killed too late to show anything"
        fleet.start()
        wait_for(lambda: len(chatbot.rows()) == EVENTS, timeout_s=60)
        assert fleet.stop() == 0
    assert chatbot.rows().keys() == {str(event.event_id) for event in events}
    assert chatbot.letters() == []
    assert len(chatbot.logged()) == EVENTS


PUBLISHER = """
import asyncio, tasks
from tests.helpers.samples import an_event
event = tasks.publish(an_event())
async def publish_all():
    publishing = [asyncio.create_task(tasks.publish_async(an_event())) for _ in range(100)]
    await asyncio.sleep(0)  # all have begun; none that waits for Kafka in the loop lets another one begin
    assert not any(one.done() for one in publishing), "the loop was blocked"
    return await asyncio.gather(*publishing)
events = asyncio.run(publish_all())
print(event.event_id, *(event.event_id for event in events), sep="\\n")
tasks.broker.close()
"""


def test_what_publish_returned_for_is_in_the_log_one_record_an_event(chatbot: Chatbot) -> None:
    ids = chatbot.run("-c", PUBLISHER).split()
    assert len(ids) == 101
    by_hand = chatbot.run("-m", "workers", "events", "publish", "-", stdin=an_event().model_dump_json())
    assert by_hand.split()[1:] == ["todo.created", "todo-1"]
    written = [json.loads(value or b"")["id"] for _, value in chatbot.logged()]
    assert sorted(written) == sorted([*ids, by_hand.split()[0]])
    assert {key for key, _ in chatbot.logged()} == {b"todo-1"}
    topics = json.loads(chatbot.run("-m", "workers", "topics", "--check", "--json"))
    (log,) = (topic for topic in topics if topic["topic"] == chatbot.log)
    assert (log["state"], log["partitions"]) == ("ok", 2)  # as the publisher has made it
    assert log["config"]["cleanup.policy"] == "delete"
    assert log["config"]["retention.ms"] == str(30 * 86_400_000)
