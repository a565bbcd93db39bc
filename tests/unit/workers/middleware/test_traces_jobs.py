"""Whose child the span of a job is; the time of its start is given."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import dramatiq
import pytest

from tests.helpers.records import Consumed
from tests.helpers.spans import KeptSpans, kept_spans, trace_id
from workers.kafka import OffsetAndMetadata, TopicPartition
from workers.middleware.traces_jobs import JobSpans
from workers.partitions.owned_partition import OwnedPartition
from workers.partitions.taken_message import TakenMessage
from workers.records.sources import Source
from workers.topics import Topics
from workers.traces import active

TRACE, SENDER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CREATED_S = 1_780_315_200
HOUR_S = 3_600


def a_job(header: str | None, *, after_s: float = 0.0) -> TakenMessage:
    message: dramatiq.Message[Any] = dramatiq.Message("letters", "write", ("Ana",), {}, {})
    message = message.copy(message_timestamp=CREATED_S * 1000)
    headers = [] if header is None else [("traceparent", header.encode()), ("tracestate", b"vendor=1")]
    owned = OwnedPartition(TopicPartition("todo.jobs.letters", 0), OffsetAndMetadata(0, "", -1))
    job = TakenMessage(message, Consumed("todo.jobs.letters", headers=headers), owned, SimpleQueue())
    job.started_at = CREATED_S + after_s
    return job


def run(job: TakenMessage, *sources: Source, release: Callable[[], None] = lambda: None) -> KeptSpans:
    with kept_spans() as spans:
        made = active.spans()
        assert made is not None
        middleware = JobSpans(made, Topics("todo"), lambda _: sources)
        middleware.before_process_message(dramatiq.get_broker(), job)
        middleware.after_process_message(dramatiq.get_broker(), job)
        assert active.ids() is None
        assert spans.all == []  # it lasts until the job is acked
        job.ack()
        release()
    return spans


@pytest.mark.parametrize("after_s", [0.0, HOUR_S])
def test_within_an_hour_the_sender_is_the_parent(after_s: float) -> None:
    (span,) = run(a_job(f"00-{TRACE}-{SENDER}-01", after_s=after_s)).all
    assert span.parent is not None
    assert (trace_id(span), f"{span.parent.span_id:016x}") == (TRACE, SENDER)
    assert span.parent.trace_state.get("vendor") == "1"
    assert span.links == ()


def test_after_an_hour_a_job_is_a_root_with_a_link() -> None:
    (span,) = run(a_job(f"00-{TRACE}-{SENDER}-01", after_s=HOUR_S + 1)).all
    assert span.parent is None
    assert trace_id(span) != TRACE
    (link,) = span.links
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (TRACE, SENDER)


def test_after_an_hour_one_that_was_not_recorded_may_be() -> None:
    (span,) = run(a_job(f"00-{TRACE}-{SENDER}-00", after_s=HOUR_S + 1)).all
    assert span.parent is None


@pytest.mark.parametrize("header", [None, "", "garbage", f"00-{'0' * 32}-{SENDER}-01", "x" * 100_000])
def test_a_context_that_makes_no_sense_is_none(header: str | None) -> None:
    (span,) = run(a_job(header, after_s=HOUR_S + 1)).all
    assert (span.parent, span.links) == (None, ())


def test_the_first_context_counts() -> None:
    job = a_job(f"00-{TRACE}-{SENDER}-01")
    hop = ("traceparent", f"00-{'a' * 32}-{SENDER}-01".encode())
    job.record = Consumed("todo.jobs.letters", headers=[*job.record.headers, hop])
    (span,) = run(job).all
    assert trace_id(span) == TRACE


def test_a_source_can_have_its_context_elsewhere() -> None:
    def find(_: dramatiq.MessageProxy) -> dict[str, str]:
        return {"traceparent": f"00-{TRACE}-{SENDER}-01"}

    source = Source("todo.jobs.letters", lambda _: None, find_context=find)
    (span,) = run(a_job(None), source).all
    assert trace_id(span) == TRACE


def test_a_job_that_is_held_lasts_until_it_is_released() -> None:
    job = a_job(None)
    job.hold()
    (span,) = run(job, release=lambda: job.release(ValueError("its effects failed"))).all
    assert (span.status.status_code.name, (span.attributes or {})["workers.job.outcome"]) == ("ERROR", "dead")
