"""Envelopes of Dapr on the event log, in the form that its documentation states."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tasks.actors.events import job_of
from tasks.events.cloud_events import event_of, record_of
from tasks.events.models import parse_any_event
from tests.helpers.samples import KINDS, an_event
from workers.records.sources import Incoming

#: What Dapr adds to whatever it publishes; an envelope has a new id each time.
ENVELOPE = {
    "id": "5929aaac-a5e2-4ca1-859c-edfe73f11565",
    "pubsubname": "pubsub",
    "source": "chatbot",
    "specversion": "1.0",
    "time": "2026-06-02T10:00:00Z",
    "topic": "todo.events",
    "traceid": "00-113ad9c4e42b27583ae98ba698d54255-e3743e35ff56f219-01",
    "traceparent": "00-113ad9c4e42b27583ae98ba698d54255-e3743e35ff56f219-01",
    "tracestate": "",
    "type": "com.dapr.event.sent",
}


def read(envelope: dict[str, Any]) -> dict[str, Any]:
    return event_of(Incoming(b"k", json.dumps(envelope).encode(), [], 1_780_500_000_000))


def as_json(content: Any) -> dict[str, Any]:
    return {"datacontenttype": "application/json", "data": content}


def as_text(content: Any) -> dict[str, Any]:
    return {"datacontenttype": "text/plain", "data": json.dumps(content)}


def as_base64(content: Any) -> dict[str, Any]:
    encoded = base64.b64encode(json.dumps(content).encode()).decode()
    return {"datacontenttype": "application/octet-stream", "data_base64": encoded}


FORMS = pytest.mark.parametrize("form", [as_json, as_text, as_base64])


@FORMS
@pytest.mark.parametrize("kind", KINDS)
def test_a_todo_event_in_an_envelope_of_the_default_type_is_that_event(form: Any, kind: str) -> None:
    event = an_event(kind)
    found = parse_any_event(read(ENVELOPE | form(event.model_dump(mode="json"))))
    context = {"source": "chatbot", "pubsubname": "pubsub", "topic": "todo.events"}
    assert found.model_copy(update={"cloudevent": event.cloudevent}) == event
    assert context.items() <= found.cloudevent.model_dump().items()


@FORMS
def test_a_whole_cloud_event_in_an_envelope_is_that_event(form: Any) -> None:
    event = an_event()
    inner = json.loads(record_of(event).value or b"")
    found = parse_any_event(read(ENVELOPE | form(inner | {"topic": "elsewhere"})))
    assert found.cloudevent.model_extra == {"pubsubname": "pubsub", "topic": "todo.events"}
    assert found.model_copy(update={"cloudevent": event.cloudevent}) == event


def test_an_event_without_id_and_time_has_those_of_its_envelope() -> None:
    content = an_event().model_dump(mode="json", exclude={"event_id", "time"})
    found = read(ENVELOPE | as_json(content))
    assert (found["event_id"], found["time"]) == (ENVELOPE["id"], ENVELOPE["time"])


def test_an_event_that_names_its_type_keeps_it() -> None:
    event = an_event()
    value = json.loads(record_of(event).value or b"")
    found = parse_any_event(read(ENVELOPE | value))
    assert found.model_copy(update={"cloudevent": event.cloudevent}) == event


@pytest.mark.parametrize("content", [{"n": 1}, {"type": "order.paid"}, "text", "{", None, [1], 7])
@FORMS
def test_anything_else_stays_data_of_an_event_of_that_type(form: Any, content: Any) -> None:
    found = read(ENVELOPE | form(content))
    assert (found["type"], found["event_id"]) == ("com.dapr.event.sent", ENVELOPE["id"])
    assert found["data"] == content or json.loads(found["data"]) == content


@FORMS
@pytest.mark.parametrize("wrong", [{"event_id": 7}, {"time": {}}, {"time": "soon"}, {"todo": None}])
def test_a_wrong_event_in_an_envelope_is_an_error_with_words(form: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"\w") as caught:
        parse_any_event(read(ENVELOPE | form(an_event().model_dump(mode="json") | wrong)))
    assert type(caught.value).__name__ in {"InvalidEvent", "Undecodable"}


@pytest.mark.parametrize(("named", "told"), [({}, True), ({"type": "shop.sold"}, False)])
def test_an_event_whose_type_dapr_was_not_told_is_logged_with_what_to_do(
    caplog: pytest.LogCaptureFixture, named: dict[str, str], told: bool
) -> None:
    envelope = ENVELOPE | as_json({"actor": "user:ana"}) | named
    job = job_of(Incoming(b"k", json.dumps(envelope).encode(), [], 1_780_500_000_000))
    assert job.args[0]["type"] == envelope["type"]
    advice = "event.untyped id=5929aaac-a5e2-4ca1-859c-edfe73f11565 source=chatbot"
    assert (advice in caplog.text and "cloudevent.type" in caplog.text) is told
