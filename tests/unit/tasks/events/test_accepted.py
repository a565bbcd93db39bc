"""Events that somebody sends, before they are in the event log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.events.accepted import accept
from tasks.events.cloud_events import record_of
from tasks.events.models import InvalidEvent, OtherEvent
from tests.helpers.samples import KINDS, an_event
from workers.errors import MessageTooLarge, Undecodable
from workers.records.envelope import Record
from workers.records.sources import Incoming

OTHER = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.paid", "data": {"n": 1}}


def sent(value: Any, **fields: Any) -> Incoming:
    return Incoming(None, json.dumps(value | fields).encode(), [], 1_780_000_000_000)


def as_sent(record: Record) -> Any:
    return json.loads(record.value or b"")


@pytest.mark.parametrize("kind", KINDS)
def test_a_todo_event_gets_the_record_that_publishing_it_makes(kind: str) -> None:
    record = record_of(an_event(kind))
    assert accept(sent(as_sent(record))).record == record


def test_an_event_without_a_time_has_that_at_which_it_came() -> None:
    value = as_sent(record_of(an_event()))
    del value["time"]
    assert as_sent(accept(sent(value)).record)["time"] == "2026-05-28T20:26:40Z"


def test_an_event_of_another_type_is_handed_on_as_it_is() -> None:
    accepted = accept(sent(OTHER, subject="order-7"))
    assert isinstance(accepted.event, OtherEvent)
    assert accepted.record.key == b"order-7"
    assert as_sent(accepted.record) == OTHER | {"subject": "order-7"}


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (OTHER | {"type": "todo.create"}, InvalidEvent, "did you mean"),
        (OTHER | {"type": "todo.created"}, InvalidEvent, "todo"),
        (OTHER | {"source": ""}, Undecodable, "source"),
        ({"type": "order.paid"}, Undecodable, "no specversion and no id and no source"),
        (OTHER | {"data": "x" * 1_048_600}, MessageTooLarge, "at most"),
    ],
)
def test_what_cannot_be_published_is_refused(value: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        accept(sent(value))


@pytest.mark.parametrize("depth", [200, 700, 950, 5_000, 100_000])
def test_json_that_is_nested_deep_is_published_or_refused(depth: int) -> None:
    value = json.dumps(OTHER).replace('{"n": 1}', "[" * depth + "]" * depth)
    try:
        accept(Incoming(None, value.encode(), [], 0))
    except (Undecodable, InvalidEvent):
        assert depth > 200
