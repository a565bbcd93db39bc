"""The spans of a process with OpenTelemetry's SDK, kept in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Sampler
from opentelemetry.trace import SpanContext, format_span_id, format_trace_id

from tests.helpers.waiting import wait_for


class KeptSpans:
    """The spans that have ended, in the order of their ends."""

    def __init__(self, sampler: Sampler = DEFAULT_ON) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("test")

    @property
    def all(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all if span.name == name]

    def wait_for(self, name: str, count: int = 1) -> list[ReadableSpan]:
        """The spans of that name, once there are so many."""
        return wait_for(lambda: found if len(found := self.named(name)) >= count else None)


@contextmanager
def kept_spans(sampler: Sampler = DEFAULT_ON) -> Iterator[KeptSpans]:
    """Set a provider for this process; take it away afterwards, which OpenTelemetry itself does not allow."""
    kept = KeptSpans(sampler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "_TRACER_PROVIDER", kept.provider)
        yield kept
    kept.provider.shutdown()


def parent_id(span: ReadableSpan) -> str | None:
    return None if span.parent is None else format_span_id(span.parent.span_id)


def span_id(span: ReadableSpan) -> str:
    return format_span_id(_context(span).span_id)


def trace_id(span: ReadableSpan) -> str:
    return format_trace_id(_context(span).trace_id)


def _context(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found
