"""The record of an update, the document that describes it, and what happens if Kafka does not take it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tasks.events.cloud_events import event_of
from tasks.updates.announcer import Announcer
from tasks.updates.asyncapi import asyncapi, sample
from tasks.updates.records import Deed, Update, record_of
from workers.errors import KafkaUnreachable
from workers.records.envelope import Record
from workers.records.sources import Incoming


@pytest.mark.parametrize("deed", Deed)
def test_an_update_is_a_cloud_event_as_the_document_describes_it(deed: Deed) -> None:
    record = record_of(sample(deed))
    document = asyncapi(1)
    (message,) = [m for m in document["components"]["messages"].values() if m["name"] == deed.value]
    Draft202012Validator(message["payload"]).validate(json.loads(record.value or b""))
    event = event_of(Incoming(record.key, record.value, record.headers, 0), max_ahead=None)
    assert (event["type"], event["subject"], record.key) == (deed.value, "todo-1", b"ana@example.com")


def test_the_same_deed_has_the_same_id_and_another_one_another() -> None:
    first = sample(Deed.MAIL_SENT)
    again = Update(Deed.MAIL_SENT, first.owner, first.about, first.time.replace(year=2027), None, {})
    other = Update(Deed.MAIL_SENT, first.owner, "other", first.time)
    assert first.id == again.id
    assert len({first.id, other.id, sample(Deed.MAIL_POSTPONED).id}) == 3


class Future:
    """A future of kafka-python, as far as it is used."""

    def __init__(self) -> None:
        self.errbacks: list[Callable[[BaseException], Any]] = []

    def add_errback(self, call: Callable[[BaseException], Any]) -> None:
        self.errbacks.append(call)


def test_what_kafka_does_not_take_is_counted_and_logged_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    future = Future()
    answers: list[Any] = [
        future,
        KafkaUnreachable("away"),
        KafkaUnreachable("away"),
        KafkaUnreachable("away"),
    ]
    records: list[Record] = []

    def hand_over(record: Record) -> Any:
        records.append(record)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    announce = Announcer(hand_over, clock=lambda: now)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            announce(sample(Deed.MAIL_SENT))
        assert announce.failed == 2
        now = 100.0
        future.errbacks[0](KafkaUnreachable("not confirmed"))
        announce(sample(Deed.MAIL_SENT))
    assert (announce.failed, len(records)) == (4, 4)
    assert [record.getMessage() for record in caplog.records] == [
        "update.lost count=1 since start: away",
        "update.lost count=3 since start: not confirmed",
    ]
