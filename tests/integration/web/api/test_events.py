"""Events over HTTP: in each mode of CloudEvents, by Dapr, and what is refused."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx2 as httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tasks.audit.trail import AuditStore, Recording
from tasks.events.accepted import Accepted, accept
from tasks.events.cloud_events import event_id_of, event_of, record_of
from tasks.events.models import parse_any_event
from tasks.storage.database import Database
from tests.helpers.kafka_reading import read_topic
from tests.helpers.samples import a_todo, an_event
from tests.integration.web.api.conftest import DAPR_TOKEN, bearer, make_client, require_problem
from tests.integration.web.conftest import SECRET
from web.access import Access
from web.api import kafka_router
from web.api.services import Services
from web.keys import SecretKey
from workers import Cluster, KafkaBroker
from workers.broker.sending import Written
from workers.errors import NotDelivered, WorkersError
from workers.records.envelope import Record
from workers.records.sources import Incoming


@pytest.fixture
def client(publishing_client: TestClient) -> TestClient:
    return publishing_client


STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


PUBLISHER = bearer("service@example.com", "publisher")


def structured(**fields: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(record_of(an_event()).value or b"")
    return value | fields


def post(client: TestClient, body: Any, content_type: str = STRUCTURED, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(
        "/events", content=content, headers=PUBLISHER | {"content-type": content_type} | headers
    )


def log_of(broker: KafkaBroker) -> Sequence[Any]:
    return read_topic(broker.cluster, broker.topics.named("events"))


def test_an_event_is_in_the_log_when_the_answer_comes(client: TestClient, broker: KafkaBroker) -> None:
    event = an_event()
    answer = post(client, json.loads(record_of(event).value or b""))
    assert answer.status_code == 202
    (record,) = log_of(broker)
    assert answer.json() == {
        "id": str(event.event_id),
        "topic": broker.topics.named("events"),
        "partition": record.partition,
        "offset": record.offset,
    }
    assert (record.key, record.value, record.headers) == record_of(event)[:3]


def _incoming(record: Any) -> Incoming:
    return Incoming(
        record.key, record.value, record.headers, record.timestamp, record.partition, record.offset
    )


def test_the_same_id_again_is_the_same_event(
    client: TestClient, broker: KafkaBroker, database: Database
) -> None:
    sent = structured(id="order-7", source="/shop")
    first, second = post(client, sent).json(), post(client, sent).json()
    assert first["id"] == second["id"] == str(event_id_of("/shop", "order-7"))
    events = [parse_any_event(event_of(_incoming(record))) for record in log_of(broker)]
    store = AuditStore(database)
    outcomes = [store.record(event, recorded_at=datetime.now(UTC)) for event in events]
    assert outcomes == [Recording.RECORDED, Recording.REPEATED]


def test_a_large_body_is_not_checked_on_the_event_loop(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def note(sent: Incoming, context: Mapping[str, str]) -> Accepted:
        threads.append(threading.current_thread().name)
        return accept(sent, context)

    monkeypatch.setattr("web.api.events.accept", note)
    assert post(client, structured()).status_code == 202
    assert post(client, [structured()] * 100, BATCH).status_code == 202
    assert threads[0] not in threads[1:]


def test_binary_mode_publishes_the_same_event(client: TestClient, broker: KafkaBroker) -> None:
    event = an_event()
    value = json.loads(record_of(event).value or b"")
    data = value.pop("data")
    headers = {f"ce-{name}": text for name, text in value.items() if name != "datacontenttype"}
    assert post(client, data, "application/json", **headers).json()["id"] == str(event.event_id)
    assert log_of(broker)[0].value == record_of(event).value


def test_a_batch_is_published_in_its_order(client: TestClient, broker: KafkaBroker) -> None:
    events = [an_event(todo=a_todo(title=f"{n}")) for n in range(20)]
    answer = post(client, [json.loads(record_of(event).value or b"") for event in events], BATCH)
    assert answer.status_code == 202
    assert [one["id"] for one in answer.json()["events"]] == [str(event.event_id) for event in events]
    assert [record.value for record in log_of(broker)] == [record_of(event).value for event in events]
    assert post(client, [], BATCH).json() == {"events": []}


def test_a_batch_with_wrong_events_publishes_none_and_says_which(
    client: TestClient, broker: KafkaBroker
) -> None:
    assert post(client, structured()).status_code == 202
    wrong = structured(data={"actor": "user:1", "todo": {"id": "t", "title": " "}})
    answer = post(client, [structured(), wrong, structured(), {"id": "1"}, "text"], BATCH)
    problem = require_problem(answer, 422, "3 of 5 events are wrong; none was published")
    assert [error["index"] for error in problem["errors"]] == [1, 3, 4]
    assert "todo.title: must not be blank" in problem["errors"][0]["detail"]
    assert len(log_of(broker)) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b"{", STRUCTURED, 400, "not JSON"),
        (b"\xff\x00", STRUCTURED, 400, "not JSON"),
        (b"", STRUCTURED, 400, "not JSON"),
        ([1], STRUCTURED, 400, "not a JSON object"),
        ({"type": "todo.created"}, STRUCTURED, 400, "no specversion"),
        (structured(), "application/json", 415, "send application/cloudevents+json"),
        (structured(), "application/cloudevents+avro", 415, "send application/cloudevents+json"),
        (structured(type="todo.create"), STRUCTURED, 422, "did you mean"),
        (structured(data=None), STRUCTURED, 400, "a JSON object is needed"),
        (structured(type="order.paid", data="x" * 1_048_600), STRUCTURED, 413, "bytes"),
        (b" " * (8 * 1024 * 1024 + 1), BATCH, 413, "more than 8388608 bytes"),
        ([{}] * 1_001, BATCH, 413, "at most 1000"),
        ({}, BATCH, 400, "no JSON array"),
    ],
)
def test_what_is_wrong_is_a_problem_in_words(
    client: TestClient, body: Any, content_type: str, status: int, words: str
) -> None:
    require_problem(post(client, body, content_type), status, words)


def test_a_body_without_a_length_is_read_up_to_the_limit(client: TestClient) -> None:
    parts = (b" " * 1_048_576 for _ in range(9))
    answer = client.post("/events", content=parts, headers=PUBLISHER | {"content-type": BATCH})
    require_problem(answer, 413, "more than 8388608 bytes")


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({}, 401, "send a token in the header Authorization: Bearer"),
        ({"authorization": "Bearer x"}, 401, "the token is refused"),
        (bearer("ana@example.com", "viewer"), 403, "this needs the role publisher"),
        ({"dapr-api-token": "another"}, 401, "send a token"),
    ],
)
def test_only_publishers_publish(
    client: TestClient, headers: dict[str, str], status: int, words: str
) -> None:
    answer = client.post("/events", json=structured(), headers={"content-type": STRUCTURED} | headers)
    require_problem(answer, status, words)


def test_without_kafka_a_client_is_told_to_come_back(
    nowhere: str, make_services: Callable[[KafkaBroker], Services]
) -> None:
    broker = KafkaBroker(Cluster((nowhere,), connect_timeout_s=0.2, send_timeout_s=0.4), namespace="t")
    with make_client(make_services(broker)) as client:
        for answer in (post(client, structured()), post(client, [structured()] * 2, BATCH)):
            problem = require_problem(answer, 503, "cannot be reached now; send it again, with the same id")
            assert int(answer.headers["retry-after"]) > 0
            assert nowhere not in json.dumps(problem)
        assert deliver(client, structured()) == "RETRY"
    broker.close()


def test_of_a_batch_that_kafka_took_in_part_the_rest_is_named(
    broker: KafkaBroker, make_services: Callable[[KafkaBroker], Services]
) -> None:
    async def take_the_first(records: Sequence[Record]) -> Sequence[Written | WorkersError]:
        return [Written("todo.events", 0, 7), *(NotDelivered() for _ in records[1:])]

    services = Services(**{**vars(make_services(broker)), "write_events": take_the_first})
    with make_client(services) as client:
        answer = post(client, [structured()] * 3, BATCH)
        problem = require_problem(
            answer, 503, "2 of 3 events may not have been published; send the batch again"
        )
        assert [error["index"] for error in problem["errors"]] == [1, 2]
        assert int(answer.headers["retry-after"]) > 0
        assert deliver(client, structured()) == "SUCCESS"


def deliver(client: TestClient, body: Any) -> str:
    """Deliver as Dapr's sidecar does; returns the status that it is told."""
    headers = {"dapr-api-token": DAPR_TOKEN, "content-type": STRUCTURED, "pubsubname": "pubsub"}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post("/events", content=content, headers=headers)
    assert answer.status_code == 200
    assert answer.json().keys() == {"status"}
    return str(answer.json()["status"])


def test_dapr_is_told_what_to_deliver_and_where(client: TestClient) -> None:
    answer = client.get("/dapr/subscribe", headers={"dapr-api-token": DAPR_TOKEN})
    assert answer.json() == [{"pubsubname": "pubsub", "topic": "todo-events", "route": "/events"}]
    require_problem(client.get("/dapr/subscribe"), 401, "WEB_DAPR_TOKEN")


def test_an_application_chooses_where_the_routes_are(
    broker: KafkaBroker, make_services: Callable[[KafkaBroker], Services]
) -> None:
    app = FastAPI()
    access = Access(SecretKey(SECRET), audience="todo")
    app.include_router(kafka_router(services=make_services(broker), access=access), prefix="/todo")
    with TestClient(app) as client:
        headers = PUBLISHER | {"content-type": STRUCTURED}
        assert client.post("/todo/events", json=structured(), headers=headers).status_code == 202
        told = client.get("/todo/dapr/subscribe", headers={"dapr-api-token": DAPR_TOKEN}).json()
        assert told[0]["route"] == "/todo/events"


def test_what_dapr_delivers_is_published(client: TestClient, broker: KafkaBroker) -> None:
    event = an_event()
    envelope = {
        "id": str(uuid4()),
        "source": "chatbot",
        "type": "com.dapr.event.sent",
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "data": event.model_dump(mode="json"),
        "pubsubname": "pubsub",
        "topic": "todo-events",
        "traceparent": "",
    }
    assert deliver(client, envelope) == "SUCCESS"
    value = json.loads(log_of(broker)[0].value)
    assert (value["id"], value["type"], value["subject"]) == (str(event.event_id), "todo.created", "todo-1")
    assert value["data"] == json.loads(record_of(event).value or b"")["data"]


def test_what_can_never_be_published_is_dropped_and_logged(
    client: TestClient, broker: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    assert deliver(client, b"{") == "DROP"
    assert "not JSON" in caplog.text
    assert deliver(client, structured(type="todo.create")) == "DROP"
    assert "did you mean" in caplog.text


@pytest.mark.parametrize("is_raw", [False, True])
def test_what_comes_from_the_event_log_itself_does_not_go_round_for_ever(
    client: TestClient, broker: KafkaBroker, caplog: pytest.LogCaptureFixture, is_raw: bool
) -> None:
    sent = structured(topic=broker.topics.named("events"))
    if is_raw:  # Dapr knows nothing of what it wraps
        raw = base64.b64encode(json.dumps(structured()).encode()).decode()
        sent |= {"type": "com.dapr.event.sent", "data_base64": raw}
        del sent["data"]
    assert deliver(client, sent) == "DROP"
    assert "comes from the event log itself" in caplog.text
