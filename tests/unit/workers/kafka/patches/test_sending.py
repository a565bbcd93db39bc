"""A record whose partition is chosen goes straight into the buffer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaProducer
from kafka.errors import IllegalStateError, MessageSizeTooLargeError
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.record import MemoryRecords

from workers.kafka.patches.sending import DirectProducer


class Metadata:
    """The topics of a cluster, and how often somebody asked for all their names."""

    def __init__(self) -> None:
        self.listed = 0

    def topics(self) -> set[str]:
        self.listed += 1
        return {"jobs"}

    def partitions_for_topic(self, _: str) -> set[int]:
        return {0, 1}


def unconnected(kind: Any, **config: Any) -> Any:
    """A producer without a connection."""
    producer = kind.__new__(kind)
    producer.config = KafkaProducer.DEFAULT_CONFIG | {"api_version": (4, 0)} | config
    producer._sender = SimpleNamespace(wakeup=lambda: None)
    producer._accumulator = RecordAccumulator()
    producer._metadata, producer._transaction_manager = Metadata(), None
    producer._closed = False
    return producer


def of_kafka_python(producer: Any, topic: str, partition: int, *record: Any) -> Any:
    key, value, headers = record
    return producer.send(topic, value, key, headers, partition)


upstream = pytest.mark.xfail(reason="kafka-python looks at all topics", raises=AssertionError)


@pytest.mark.parametrize(
    ("kind", "append"),
    [(DirectProducer, DirectProducer.append), pytest.param(KafkaProducer, of_kafka_python, marks=upstream)],
)
def test_a_record_costs_no_look_at_all_topics(kind: type[Any], append: Any) -> None:
    producer = unconnected(kind)
    try:
        for _ in range(3):
            append(producer, "jobs", 1, b"k", b"v", [("name", b"x")])
        (batch,) = (queued for (queued,) in producer._accumulator._batches.values())
        assert (batch.topic_partition, batch.record_count) == (("jobs", 1), 3)
        assert producer._metadata.listed == 0
    finally:
        producer._closed = True


Records = st.lists(
    st.tuples(st.none() | st.binary(), st.binary(), st.lists(st.tuples(st.text(), st.binary()), max_size=2)),
    min_size=1,
    max_size=4,
)


@given(Records)
def test_a_batch_has_what_kafka_pythons_has(records: list[Any]) -> None:
    found = []
    for kind, append in ((DirectProducer, DirectProducer.append), (KafkaProducer, of_kafka_python)):
        producer = unconnected(kind)
        try:
            for record in records:
                append(producer, "jobs", 1, *record)
        finally:
            producer._closed = True
        (batch,) = (queued for (queued,) in producer._accumulator._batches.values())
        batch.records.close()
        written = MemoryRecords(batch.records.buffer()).next_batch()
        found.append([(each.offset, each.key, each.value, each.headers) for each in written])
    assert found[0] == found[1]


def test_a_batch_needs_one_wake_and_whoever_comes_before_that_may_do_it() -> None:
    producer = unconnected(DirectProducer)

    def needs_wake(partition: int) -> bool:
        return bool(producer.append("jobs", partition, b"k", b"v", [], at_once=False)[1])

    try:
        assert [needs_wake(0), needs_wake(0)] == [True, True]
        producer.wake_due()
        assert [needs_wake(0), needs_wake(1), needs_wake(0)] == [False, True, True]
        producer.wake_due()
        assert needs_wake(0) is producer._is_wake_due is False
    finally:
        producer._closed = True


def test_who_joins_a_batch_whose_wake_comes_later_wakes_at_once() -> None:
    """Also before its maker has gone on, and after others have done so."""
    producer = unconnected(DirectProducer)
    append = producer._accumulator.append
    joined: list[bool] = []

    def join() -> None:
        joined.append(producer.append("jobs", 0, b"k", b"v", [])[1])
        producer.wake()

    def append_and_switch(*record: Any) -> Any:
        producer._accumulator.append = append
        producer.append("jobs", 1, b"k", b"v", [])
        producer.wake()
        added = append(*record)
        join()
        return added

    producer._accumulator.append = append_and_switch
    try:
        assert producer.append("jobs", 0, b"k", b"v", [], at_once=False)[1]
        join()
        producer.wake_due()
        join()
        assert joined == [True, True, False]
    finally:
        producer._closed = True


def test_what_is_too_large_is_refused_and_what_is_just_not_is_taken() -> None:
    producer = unconnected(DirectProducer, max_request_size=1_000)
    try:
        producer.append("jobs", 0, b"k", b"v" * 850, [("näme", b"x" * 40)])
        with pytest.raises(MessageSizeTooLargeError):
            producer.append("jobs", 0, b"k", b"v" * 850, [("näme", b"x" * 90)])
    finally:
        producer._closed = True


def test_a_closed_producer_takes_nothing() -> None:
    producer = unconnected(DirectProducer)
    producer._closed = True
    with pytest.raises(IllegalStateError):
        producer.append("jobs", 0, b"k", b"v", [])


def test_a_header_without_content_is_refused() -> None:
    producer = unconnected(DirectProducer)
    try:
        producer.append("jobs", 0, b"k", b"v", [("name", b"x")])
        with pytest.raises(TypeError):
            producer.append("jobs", 0, b"k", b"v", [("name", None)])
        (batch,) = (queued for (queued,) in producer._accumulator._batches.values())
        assert batch.record_count == 1
    finally:
        producer._closed = True
