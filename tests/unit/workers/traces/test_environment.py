"""Which variables OTEL_* make a process of ours send spans, and what becomes of mistakes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.util._once import Once

from tests.helpers.spans import kept_spans
from workers.traces import active, environment

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    yield
    if isinstance(found := trace.get_tracer_provider(), TracerProvider):
        found.shutdown()


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"OTEL_SERVICE_NAME": "todo"},
        ENDPOINT | {"OTEL_SDK_DISABLED": "true"},
        ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_sent_unless_it_is_asked_for(asked: dict[str, str]) -> None:
    environment.start(asked)
    assert active.spans() is None


@pytest.mark.parametrize("asked", [ENDPOINT, {"OTEL_TRACES_EXPORTER": "console"}])
def test_spans_are_sent_if_they_are_asked_for(asked: dict[str, str]) -> None:
    environment.start(asked)
    found = trace.get_tracer_provider()
    assert isinstance(found, TracerProvider)
    assert found.resource.attributes["service.name"] == "todo-workers"
    assert active.spans() is not None
    environment.flush()


def test_the_environment_names_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "chatbot")
    environment.start(ENDPOINT)
    found = trace.get_tracer_provider()
    assert isinstance(found, TracerProvider)
    assert found.resource.attributes["service.name"] == "chatbot"


def test_a_provider_that_is_there_stays() -> None:
    with kept_spans() as spans:
        environment.start(ENDPOINT)
        assert trace.get_tracer_provider() is spans.provider


def test_an_exporter_that_is_not_installed_is_named(caplog: pytest.LogCaptureFixture) -> None:
    environment.start({"OTEL_TRACES_EXPORTER": "zipkin"})
    assert active.spans() is None
    assert "no exporter 'zipkin' is installed" in caplog.text
    assert "todo-workers[otlp]" in caplog.text
