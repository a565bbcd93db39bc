"""Events that other clients write are handled, and other clients read what we write."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from interop.clients import Batch, Client, Sent
from interop.conftest import Log
from tasks.events.cloud_events import record_of
from tests.helpers.kafka_reading import letters_of, read_topic
from tests.helpers.samples import an_event
from tests.helpers.waiting import wait_for
from workers.dead_letters.letter import Reason
from workers.kafka import partition_of

STRUCTURED = ("content-type", b"application/cloudevents+json; charset=UTF-8")
KEYS = [f"todo-{number}" for number in range(6)]


def data(title: str) -> dict[str, Any]:
    return an_event().model_dump(mode="json", include={"actor", "todo"}) | {"note": title}


def structured(event_id: str, key: str | None, note: str = "", **more: object) -> Sent:
    event = {"specversion": "1.0", "id": event_id, "source": "/other", "type": "todo.created"}
    value = json.dumps(event | more | {"data": data(note)}).encode()
    return Sent(None if key is None else key.encode(), value, [STRUCTURED])


def binary(event_id: str, key: str) -> Sent:
    headers = {"specversion": "1.0", "id": event_id, "source": "/other", "type": "todo.created"}
    coded = [(f"ce_{name}", value.encode()) for name, value in headers.items()]
    return Sent(
        key.encode(), json.dumps(data("binary")).encode(), [*coded, ("content-type", b"application/json")]
    )


def ids(count: int) -> list[str]:
    return [uuid.uuid4().hex for _ in range(count)]


def expect(log: Log, wanted: Sequence[str]) -> None:
    """Wait until a worker has got these events, as they were written."""
    wait_for(lambda: set(wanted) <= log.got.keys(), timeout_s=60)
    for event_id in wanted:
        event = log.got[event_id]
        assert event["type"] == "todo.created"
        assert event["todo"]["title"] == "Buy milk"
        assert event["todo"]["owner"]["name"] == "Ana Petrović"


def test_both_modes_with_each_codec(client: Client, log: Log) -> None:
    for codec in (None, *client.codecs):
        wanted = ids(2 * len(KEYS))
        records = [structured(one, key) for one, key in zip(wanted, KEYS, strict=False)]
        records += [binary(one, key) for one, key in zip(wanted[len(KEYS) :], KEYS, strict=True)]
        client.write(log.servers, log.topic, Batch(records, codec))
        expect(log, wanted)
    assert letters_of(log.broker) == []


def test_its_keys_have_the_partitions_of_ours(client: Client, log: Log) -> None:
    records = [structured(one, key) for one, key in zip(ids(6), KEYS, strict=True)]
    client.write(log.servers, log.topic, Batch(records))
    for record in read_topic(log.broker.cluster, log.topic):
        assert record.partition == partition_of(set(range(8)), record.key)


def test_odd_keys_and_headers(client: Client, log: Log) -> None:
    none, empty, without, large = ids(4)
    records = [structured(none, None), structured(large, "large", note="x" * 900_000)]
    wanted = [none, large]
    if client.has_empty_keys:
        records.append(structured(empty, ""))
        wanted.append(empty)
    if client.has_null_headers:
        odd = structured(without, "k")
        records.append(Sent(odd.key, odd.value, [*odd.headers, ("empty", None)]))
        wanted.append(without)
    client.write(log.servers, log.topic, Batch(records))
    expect(log, wanted)


def test_what_is_no_event_is_a_dead_letter_and_stops_nothing(client: Client, log: Log) -> None:
    [good] = ids(1)
    wrong = [Sent(b"k", None, [STRUCTURED]), Sent(b"k", b"not JSON", [STRUCTURED])]
    client.write(log.servers, log.topic, Batch([*wrong, structured(good, "k")]))
    expect(log, [good])
    wait_for(lambda: len(letters_of(log.broker)) == 2, timeout_s=30)
    assert {letter.reason for letter in letters_of(log.broker)} == {Reason.UNDECODABLE}


def test_a_transaction_counts_once_it_is_committed_and_never_if_it_is_aborted(
    client: Client, log: Log
) -> None:
    if not client.has_transactions:
        pytest.skip("it has no transactions")
    aborted, committed = ids(2)
    client.write(log.servers, log.topic, Batch([structured(aborted, "k")], transaction="abort"))
    client.write(log.servers, log.topic, Batch([structured(committed, "k")], transaction="commit"))
    expect(log, [committed])
    assert aborted not in log.got


def test_it_reads_what_we_write(client: Client, log: Log) -> None:
    producer = log.broker.producer
    for number in range(5):
        producer.deliver(log.topic, record_of(an_event(actor=f"user:{number} \u00e9")))
    producer.deliver(log.broker.topics.dead_letters, record_of(an_event()))
    for topic in (log.topic, log.broker.topics.dead_letters):
        ours = read_topic(log.broker.cluster, topic)
        found = client.read(log.servers, topic, len(ours))
        assert sorted((one.key, one.value) for one in found) == sorted((one.key, one.value) for one in ours)
