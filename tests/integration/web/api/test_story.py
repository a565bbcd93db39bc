"""What became of an event, over HTTP, for whom it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import dramatiq
import pytest
from dramatiq import Worker
from fastapi.testclient import TestClient

from tasks.actors.event_jobs import job_id
from tasks.actors.notifications import notice_about, send_notification
from tasks.actors.reminders import sync_reminder
from tasks.audit.trail import AuditStore
from tasks.events.models import Event
from tasks.notifications.delivery_store import DeliveryStore
from tasks.storage.database import Database
from tests.helpers.kafka_reading import letters_of
from tests.helpers.reminder_world import World
from tests.helpers.samples import a_todo, an_event, an_owner
from tests.helpers.waiting import wait_for
from tests.integration.web.api.conftest import bearer, require_problem
from workers import KafkaBroker

ANA, BEN = bearer("ana@example.com"), bearer("Ben@example.com")
OPERATOR, PUBLISHER = bearer("op@example.com", "operator"), bearer("shop@example.com", "publisher")
SECOND = timedelta(seconds=1)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def recorded(database: Database, **todo: Any) -> Event:
    event = an_event(todo=a_todo(**todo))
    AuditStore(database).record(event, recorded_at=NOON + SECOND)
    return event


def story(client: TestClient, event_id: UUID, who: dict[str, str] = ANA) -> Any:
    answer = client.get(f"/events/{event_id}", headers=who)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_event_tells_what_it_caused_and_when(publishing_client: TestClient, database: Database) -> None:
    event = recorded(database, due=NOON + timedelta(days=1), reminders=["-1h"])
    world = World(database)
    world.sync(event)
    store, notice = DeliveryStore(database), notice_about(event)
    token = store.claim(notice, now=NOON + 2 * SECOND, lease=60 * SECOND)
    store.settle(notice, str(token), now=NOON + 3.5 * SECOND)
    world.fire(NOON + timedelta(hours=23))

    told = story(publishing_client, event.event_id)
    assert [(step["what"], step["after_ms"]) for step in told["steps"]] == [
        ("happened", None),
        ("recorded in the audit trail", 1_000),
        ("mail todo_created begun", 1_000),
        ("mail todo_created sent", 1_500),
        ("reminder -1h fired sent", 82_796_500),
    ]
    assert (told["event"]["type"], told["event"]["sequence"]) == ("todo.created", 1)
    assert (told["mail"]["state"], told["mail"]["attempts"]) == ("sent", 1)
    assert told["reminders"][0]["reminder"]["before_due"] == "-1h"
    assert (told["waiting"], told["given_up"], told["jobs_known"]) == ([], [], True)


def test_a_notice_s_id_is_for_its_owner_and_for_overseers(client: TestClient, database: Database) -> None:
    event = recorded(database)
    notice = notice_about(event)
    DeliveryStore(database).claim(notice, now=NOON, lease=60 * SECOND)
    seen = [story(client, event.event_id, who)["mail"]["notice_id"] for who in (ANA, OPERATOR, PUBLISHER)]
    assert seen == [str(notice.id), str(notice.id), None]


def test_reminders_are_told_to_who_owns_the_todo_now(client: TestClient, database: Database) -> None:
    schedule: dict[str, Any] = {"due": NOON + timedelta(days=1), "reminders": ["-1h"]}
    anas = recorded(database, **schedule)
    bens = an_event(
        "todo.updated",
        time=NOON + SECOND,
        todo=a_todo(owner=an_owner(name="Ben", email="ben@example.com"), **schedule),
    )
    AuditStore(database).record(bens, recorded_at=NOON + SECOND)
    world = World(database)
    world.sync(anas, bens)
    world.fire(NOON + timedelta(hours=23))

    def told(event: Event, who: dict[str, str]) -> tuple[int, bool]:
        seen = story(client, event.event_id, who)
        return len(seen["reminders"]), "reminder -1h fired sent" in [step["what"] for step in seen["steps"]]

    assert told(anas, ANA) == told(anas, PUBLISHER) == (0, False)
    assert told(anas, OPERATOR) == told(bens, BEN) == (1, True)


def test_jobs_that_wait_and_that_were_given_up_belong_to_it(
    publishing_client: TestClient,
    broker: KafkaBroker,
    database: Database,
    start_worker: Callable[..., Worker],
) -> None:
    event = recorded(database)

    @dramatiq.actor(broker=broker, queue_name="mails", max_retries=0)
    def send_notification_here() -> None:
        raise ConnectionError("mx.example.com says no")

    def job(actor: dramatiq.Actor[..., Any]) -> dramatiq.Message[Any]:
        return send_notification_here.message().copy(message_id=str(job_id(event.event_id, actor)))

    broker.enqueue(job(send_notification))
    broker.enqueue(job(sync_reminder).copy(options={"retries": 2}), delay=3_600_000)
    broker.enqueue(send_notification_here.message(), delay=3_600_000)  # of another event
    start_worker(broker)
    wait_for(lambda: letters_of(broker))

    told = story(publishing_client, event.event_id, OPERATOR)
    (given_up,), (waiting,) = told["given_up"], told["waiting"]
    assert (given_up["reason"], given_up["attempts"]) == ("failed", 1)
    assert given_up["error"] == "ConnectionError: mx.example.com says no"
    assert (waiting["job_id"], waiting["attempts"]) == (str(job_id(event.event_id, sync_reminder)), 3)
    assert told["steps"][-1]["what"] == "job send_notification_here given up: failed"
    assert "mx.example.com" not in str(story(publishing_client, event.event_id))


def test_without_kafka_the_rest_is_told(client: TestClient, database: Database) -> None:
    event = recorded(database)
    told = story(client, event.event_id)
    assert (told["jobs_known"], told["event"]["sequence"]) == (False, 1)


@pytest.mark.parametrize(
    "who", [bearer("ben@example.com"), bearer("eve@example.com")], ids=["somebody", "who watches"]
)
def test_nobody_sees_events_of_others(client: TestClient, database: Database, who: dict[str, str]) -> None:
    event = recorded(database, watchers=["eve@example.com"])
    require_problem(client.get(f"/events/{event.event_id}", headers=who), 404, "it is not yours")
    require_problem(client.get(f"/events/{event.event_id}"), 401, "send a token")
    require_problem(client.get(f"/events/{uuid4()}", headers=ANA), 404, "or not yet")
    require_problem(client.get("/events/x", headers=ANA), 422, "not as the route describes")
