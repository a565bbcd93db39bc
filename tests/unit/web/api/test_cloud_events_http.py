"""Requests with CloudEvents become what records of the event log would be."""

from __future__ import annotations

import json

import pytest

from tasks.events.cloud_event_modes import attributes_and_data
from web.api.cloud_events_http import BATCH, NotRead, TooMany, WrongContentType, events_in

EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.paid", "data": {"n": 1}}


def only(headers: dict[str, str], body: bytes) -> tuple[dict[str, object], object]:
    (found,) = events_in(headers, body, 5)
    assert found.timestamp_ms == 5
    return attributes_and_data(found)


def test_structured_mode_is_the_body() -> None:
    headers = {"content-type": "Application/CloudEvents+JSON; charset=utf-8"}
    attributes, data = only(headers, json.dumps(EVENT).encode())
    assert attributes == {name: EVENT[name] for name in ("specversion", "id", "source", "type")}
    assert data == {"n": 1}


def test_binary_mode_has_the_attributes_in_headers() -> None:
    headers = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/shop%20%C4%8Daj",
        "ce-type": '"order \\"paid\\""',
        "host": "todo.example.com",
    }
    attributes, data = only(headers, b'{"n": 1}')
    assert attributes["source"] == "/shop čaj"
    assert attributes["type"] == 'order "paid"'
    assert set(attributes) == {"specversion", "id", "source", "type", "datacontenttype"}
    assert data == {"n": 1}


def test_a_header_in_plain_utf_8_is_taken_as_it_is_meant() -> None:
    raw = "/čaj".encode().decode("latin-1")  # as a server has the header's bytes
    assert only({"ce-source": raw}, b"1")[0]["source"] == "/čaj"


def test_a_batch_is_an_array_of_events() -> None:
    found = events_in({"content-type": BATCH}, json.dumps([EVENT, EVENT | {"id": "2"}]).encode(), 5)
    assert [attributes_and_data(one)[0]["id"] for one in found] == ["1", "2"]
    assert events_in({"content-type": BATCH}, b"[]", 5) == []


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/json", "application/cloudevents+avro"]
)
def test_another_content_type_is_refused_with_those_that_are_taken(content_type: str) -> None:
    with pytest.raises(WrongContentType, match=r"send application/cloudevents\+json, "):
        events_in({"content-type": content_type} if content_type else {}, json.dumps(EVENT).encode(), 5)


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": 1}', b"[" * 100_000, b"\xff"])
def test_a_batch_that_is_no_array_is_refused(body: bytes) -> None:
    with pytest.raises(NotRead, match="the body is n"):
        events_in({"content-type": BATCH}, body, 5)


def test_a_header_that_is_not_utf_8_is_refused_by_its_name() -> None:
    with pytest.raises(NotRead, match="ce-id"):
        events_in({"ce-id": "%FF"}, b"1", 5)


def test_a_batch_has_a_limit() -> None:
    with pytest.raises(TooMany, match="1001 events, at most 1000"):
        events_in({"content-type": BATCH}, b"[" + b",".join([b"{}"] * 1_001) + b"]", 5)
