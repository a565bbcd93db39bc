"""Traces of jobs through a real Kafka: which spans there are, what they say, and whose children they are."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from tests.helpers.kafka_reading import letters_of, read_topic
from tests.helpers.spans import KeptSpans, kept_spans, parent_id, span_id, trace_id
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker, Retries
from workers.dead_letters.replay import revived

StartWorker = Callable[[KafkaBroker], Worker]
SECRET = "Ana's secret"


class Failing(Exception):
    """The job fails."""


@pytest.fixture
def spans() -> Iterator[KeptSpans]:
    with kept_spans() as kept:
        yield kept


def a_broker(cluster: Cluster, namespace: str) -> KafkaBroker:
    retries = Retries(max_retries=1, min_backoff=20, max_backoff=40)
    return KafkaBroker(cluster, namespace=namespace, partitions=1, commit_interval_ms=50, retries=retries)


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    made = a_broker(cluster, namespace)
    yield made
    made.close()


def test_all_that_becomes_of_a_job_is_one_trace(
    broker: KafkaBroker, spans: KeptSpans, start_worker: StartWorker
) -> None:
    mended: list[bool] = []

    @dramatiq.actor(broker=broker)
    def outer(_: str) -> None:
        inner.send_with_options(args=(SECRET,), delay=30)

    @dramatiq.actor(broker=broker)
    def inner(_: str) -> None:
        if not mended:
            raise Failing("it fails")

    start_worker(broker)
    with spans.tracer.start_as_current_span("request") as request:
        message = outer.send(SECRET)
    topic, soon = broker.topics.jobs("default"), broker.topics.delay("soon")
    first, *failed = spans.wait_for(f"process {topic}", 3)
    (letter,) = wait_for(lambda: letters_of(broker))
    mended.append(True)
    replayed_to, record = revived(letter, broker.topics, now_ms=int(time.time() * 1000))
    broker.producer.deliver(replayed_to, record)
    (*_, replayed) = spans.wait_for(f"process {topic}", 4)

    (sent,), (sent_inner,) = spans.named(f"send {topic}"), spans.named(f"send {soon}")
    assert {trace_id(span) for span in spans.all} == {f"{request.get_span_context().trace_id:032x}"}
    assert parent_id(sent) == f"{request.get_span_context().span_id:016x}"
    assert parent_id(first) == span_id(sent)
    assert parent_id(sent_inner) == span_id(first)
    # A retry and a replay are what the sender asked for, as the first attempt is.
    assert {parent_id(span) for span in (*failed, replayed)} == {span_id(sent_inner)}
    assert [span.kind for span in (sent, first)] == [SpanKind.PRODUCER, SpanKind.CONSUMER]
    assert dict(first.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": "0",
        "messaging.consumer.group.name": broker.topics.group("default"),
        "messaging.message.id": message.message_id,
        "messaging.kafka.offset": 0,
        "workers.job.actor": "outer",
        "workers.job.queue": "default",
        "workers.job.attempt": 1,
        "workers.job.outcome": "done",
    }
    assert [told(span) for span in (*failed, replayed)] == [
        (1, "retried", StatusCode.ERROR, ["Failing"]),
        (2, "dead", StatusCode.ERROR, ["Failing"]),
        (1, "done", StatusCode.UNSET, []),
    ]
    assert (failed[0].attributes or {})["error.type"] == f"{__name__}.Failing"
    assert SECRET not in "".join(span.to_json() for span in spans.all)


def told(span: ReadableSpan) -> tuple[Any, ...]:
    found = span.attributes or {}
    errors = [str((event.attributes or {})["exception.type"]).rpartition(".")[2] for event in span.events]
    return found["workers.job.attempt"], found["workers.job.outcome"], span.status.status_code, errors


def test_what_is_not_recorded_stays_so_all_the_way(
    cluster: Cluster, namespace: str, start_worker: StartWorker
) -> None:
    with kept_spans(ParentBased(ALWAYS_OFF)) as spans:
        broker = a_broker(cluster, namespace)
        seen: list[str] = []

        @dramatiq.actor(broker=broker)
        def outer() -> None:
            inner.send()

        @dramatiq.actor(broker=broker)
        def inner() -> None:
            seen.append(f"{get_current_span().get_span_context().trace_id:032x}")

        start_worker(broker)
        with broker.batch():
            outer.send()
        wait_for(lambda: seen)
        records = read_topic(cluster, broker.topics.jobs("default"))
        parents = [dict(record.headers)["traceparent"].decode() for record in records]
        broker.close()
    assert spans.all == []
    # One trace, whose flags say that it is not recorded.
    assert [parent[:36] for parent in parents] == [f"00-{seen[0]}-"] * 2
    assert [int(parent[-2:], 16) & 1 for parent in parents] == [0, 0]
    assert parents[0] != parents[1]


def test_without_a_provider_no_job_takes_notice(broker: KafkaBroker, start_worker: StartWorker) -> None:
    seen: list[str] = []
    called: set[str] = set()

    @dramatiq.actor(broker=broker)
    def noop() -> None:
        seen.append("done")

    def note(frame: FrameType, _event: str, _argument: object) -> None:
        called.add(frame.f_code.co_filename)

    noop.send()
    threading.setprofile(note)
    try:
        start_worker(broker)
    finally:
        threading.setprofile(None)
    wait_for(lambda: seen)
    sys.setprofile(note)
    try:
        noop.send()
    finally:
        sys.setprofile(None)
    wait_for(lambda: len(seen) == 2)
    assert any(file.endswith("workers/partitions/taken_message.py") for file in called)
    assert any(file.endswith("workers/broker/sending.py") for file in called)
    assert [file for file in called if "/workers/traces/" in file or "/opentelemetry/" in file] == []
    records = read_topic(broker.cluster, broker.topics.jobs("default"))
    assert [dict(record.headers).get("traceparent") for record in records] == [None, None]


def test_a_job_without_a_context_is_the_root_of_a_trace_with_its_retry(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    @dramatiq.actor(broker=broker)
    def failing() -> None:
        raise Failing("it fails")

    failing.send()
    (record,) = read_topic(broker.cluster, broker.topics.jobs("default"))
    assert "traceparent" not in dict(record.headers)
    broker.close()
    with kept_spans() as spans:
        worker = a_broker(broker.cluster, broker.topics.namespace)
        dramatiq.actor(broker=worker, actor_name="failing")(failing.fn)
        start_worker(worker)
        first, second = spans.wait_for(f"process {broker.topics.jobs('default')}", 2)
        worker.close()
    assert first.parent is None
    assert trace_id(first) == trace_id(second)
