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
from tasks.updates.records import BATCH_TYPE, Deed, Update, record_of
from workers.errors import KafkaUnreachable
from workers.records.envelope import Record
from workers.records.sources import Incoming


@pytest.mark.parametrize("deed", Deed)
def test_an_update_is_a_cloud_event_as_the_document_describes_it(deed: Deed) -> None:
    record = record_of([sample(deed)])
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


def test_several_updates_are_one_record() -> None:
    updates = [sample(deed) for deed in Deed]
    events = json.loads(record_of(updates).value or b"")
    assert [event["type"] for event in events] == [deed.value for deed in Deed]
    assert dict(record_of(updates).headers) == {"content-type": BATCH_TYPE.encode()}


class Future:
    """A future of kafka-python, as far as it is used."""

    def __init__(self) -> None:
        self.errbacks: list[Callable[[BaseException], Any]] = []

    def add_errback(self, call: Callable[[BaseException], Any]) -> None:
        self.errbacks.append(call)


class Log:
    """A topic of four partitions that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[tuple[int, list[Any]]] = []
        self.futures: list[Future] = []
        self.error: Exception | None = None

    def partitions(self) -> int:
        return 4

    def write(self, record: Record, partition: int) -> Future:
        if self.error is not None:
            raise self.error
        found = json.loads(record.value or b"")
        self.written.append((partition, found if isinstance(found, list) else [found]))
        self.futures.append(Future())
        return self.futures[-1]


def update_of(owner: str, about: int) -> Update:
    return Update(Deed.MAIL_SENT, owner, str(about), sample(Deed.MAIL_SENT).time)


def test_what_comes_within_a_moment_is_written_together_and_each_owners_in_order() -> None:
    log = Log()
    announce = Announcer(log, gather_s=0.05)
    updates = [update_of(f"user-{number % 10}@example.com", number) for number in range(1_000)]
    for update in updates:
        announce(update)
    announce.close()
    announce(updates[0])  # it goes on
    announce.close()
    assert sum(len(events) for _, events in log.written) == 1_001
    assert len(log.written) < 50
    for owner in {update.owner for update in updates}:
        own = [
            (partition, event["id"])
            for partition, events in log.written
            for event in events
            if event["data"]["owner"] == owner
        ]
        assert len({partition for partition, _ in own}) == 1
        expected = [str(update.id) for update in updates if update.owner == owner]
        assert [id_ for _, id_ in own][: len(expected)] == expected


def test_what_kafka_does_not_take_is_counted_and_logged_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log, now = Log(), 0.0
    announce = Announcer(log, gather_s=0, clock=lambda: now)
    with caplog.at_level(logging.WARNING):
        announce(update_of("ana@example.com", 1))
        announce.close()
        log.error = KafkaUnreachable("away")
        for number in range(3):
            announce(update_of("ana@example.com", number))
            announce.close()
        assert announce.lost == 3
        now = 100.0
        log.futures[0].errbacks[0](KafkaUnreachable("not confirmed"))
    assert announce.lost == 4
    assert [record.getMessage() for record in caplog.records] == [
        "update.lost count=1 since start: away",
        "update.lost count=4 since start: not confirmed",
    ]
