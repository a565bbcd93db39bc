"""What other code calls about traces: nothing without a provider, and what there is with one."""

from __future__ import annotations

import json
import logging
import threading

import pytest
from opentelemetry import trace

from tests.helpers.spans import kept_spans, parent_id, span_id
from workers.runtime.logs import JsonFormatter
from workers.traces import active


def test_without_a_provider_nothing_is_done() -> None:
    assert active.spans() is None
    assert active.here() is None
    assert active.begin("smtp send", {}) is None
    assert active.ids() is None
    with active.within(None), active.creating("todo.events") as headers:
        active.note("audit append", None, 0, {})
    assert headers == {}


def test_a_provider_that_makes_no_spans_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", trace.NoOpTracerProvider())
    assert active.spans() is None


def test_a_context_is_taken_to_another_thread() -> None:
    with kept_spans() as spans:
        with spans.tracer.start_as_current_span("job"):
            context = active.here()

        def work() -> None:
            with active.within(context):
                begun = active.begin("smtp send", {"server.port": 25})
                assert begun is not None
                active.note("audit append", context, 1, {})
            begun.end(ValueError("refused"))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        job, noted, sent = spans.all
    assert parent_id(noted) == parent_id(sent) == span_id(job)
    assert noted.start_time == 1
    assert (sent.attributes or {})["error.type"] == "builtins.ValueError"


def test_a_record_is_created_in_the_span_that_is_current_else_in_one_of_its_own() -> None:
    with kept_spans() as spans:
        with spans.tracer.start_as_current_span("request"), active.creating("todo.events") as headers:
            pass
        with active.creating("todo.events") as own:
            pass
        request, created = spans.all
    assert headers["traceparent"].split("-")[2] == span_id(request)
    assert own["traceparent"].split("-")[2] == span_id(created)
    assert (created.name, created.kind.name) == ("create todo.events", "PRODUCER")


class Hostile(Exception):
    """Cannot be asked for its text."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("error", [ValueError("x" * 1_000_000 + "\ud800"), Hostile()])
def test_of_an_error_a_span_keeps_so_much(error: Exception) -> None:
    with kept_spans() as spans:
        begun = active.begin("smtp send", {})
        assert begun is not None
        begun.end(error)
        (span,) = spans.all
    assert len(span.to_json()) < 30_000
    assert span.to_json().isascii()


def test_a_line_of_the_log_names_the_span_that_is_current() -> None:
    record = logging.LogRecord("tests", logging.INFO, "", 0, "said", (), None)
    with kept_spans() as spans, spans.tracer.start_as_current_span("request") as request:
        line = json.loads(JsonFormatter().format(record))
        context = request.get_span_context()
    assert (line["trace_id"], line["span_id"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert "trace_id" not in json.loads(JsonFormatter().format(record))
