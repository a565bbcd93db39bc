"""No-op jobs with a provider of OpenTelemetry's SDK, whose spans are made and go nowhere."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

from .dramatiq_kafka import noop_rate


class _Nowhere(SpanExporter):
    """Takes spans and forgets them: what sending them costs is the exporter's, on a thread of its own."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002
        return SpanExportResult.SUCCESS


def noop_rate_traced(address: str, namespace: str, jobs: int, share: float | None) -> float:
    """No-op jobs per second, sent and run with this share of the traces kept; without a provider if None."""
    if share is not None:
        provider = TracerProvider(sampler=ParentBasedTraceIdRatio(share))
        provider.add_span_processor(BatchSpanProcessor(_Nowhere()))
        trace.set_tracer_provider(provider)
    return noop_rate(address, namespace, jobs)
