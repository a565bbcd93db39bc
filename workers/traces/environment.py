"""Sets a provider for a process of ours, if the variables that OpenTelemetry defines ask for spans.

A worker of dramatiq's command and `todo-workers web` begin with it, as Python has no agent that would do it
for them. A library must not: whoever publishes events from a program of their own sets the provider there.
`opentelemetry-instrument`, which sets one before, is left alone.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from . import active

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger(__name__)

#: Spans are sent if one of these is set, or if `OTEL_TRACES_EXPORTER` names an exporter.
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
#: Where packages name their exporters.
_EXPORTERS = "opentelemetry_traces_exporter"
#: The name of the service, unless the environment has one.
_SERVICE = "todo-workers"
#: How long the end of a process waits until its last spans are sent.
_FLUSH_MS = 2_000


def start(environment: Mapping[str, str] = os.environ) -> None:
    """Set a provider, unless there is one, or none is asked for. Call it in the process that makes the spans.

    The SDK reads all other variables, such as `OTEL_TRACES_SAMPLER`. What is asked for and cannot be had is
    logged: no worker stands still for it.
    """
    names = _asked_for(environment)
    if not names or active.spans() is not None:
        return
    try:
        provider = _provider(names, environment)
    except ImportError as exc:
        logger.warning("traces not sent: %s; they need: pip install 'todo-workers[otlp]'", exc)
    except Exception as exc:  # noqa: BLE001 - whatever an exporter says of its settings
        logger.warning("traces not sent: %s: %s", type(exc).__name__, exc)
    else:
        from opentelemetry import trace  # noqa: PLC0415 - only if it is used

        trace.set_tracer_provider(provider)


def flush() -> None:
    """Send the spans that have ended, for two seconds at most. For the end of a process."""
    spans = active.spans()
    if spans is not None:
        spans.flush(_FLUSH_MS)


def _asked_for(environment: Mapping[str, str]) -> list[str]:
    """The names of the exporters."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return []
    has_endpoint = any(environment.get(name) for name in _ENDPOINTS)
    named = environment.get("OTEL_TRACES_EXPORTER") or ("otlp" if has_endpoint else "")
    names = [name.strip() for name in named.split(",")]
    return [name for name in names if name not in {"", "none"}]


def _provider(names: list[str], environment: Mapping[str, str]) -> TracerProvider:
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415 - only if it is used
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    exporters = [_exporter(name, environment) for name in names]
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: _SERVICE}))
    provider = TracerProvider(resource=resource)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _exporter(name: str, environment: Mapping[str, str]) -> Any:
    if name == "otlp":
        protocol = next((environment[one] for one in _PROTOCOLS if environment.get(one)), "http/protobuf")
        name = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    found = list(entry_points(group=_EXPORTERS, name=name))
    if not found:
        raise ImportError(f"no exporter {name!r} is installed")
    return found[0].load()()
