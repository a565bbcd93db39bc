"""Makes spans with the provider of this process. Import it only where there is one: it needs OpenTelemetry.

A span never has a job's arguments, nor a record's key. The text of an error may name what it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Self, TypeVar

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TracerProvider,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..display.error_text import kind_of, message_of, traceback_of
from . import names

T = TypeVar("T")

_PROPAGATOR = TraceContextTextMapPropagator()
_NO_PARENT = Context()
#: Where a context has its span.
(_SPAN_KEY,) = trace.set_span_in_context(trace.INVALID_SPAN, _NO_PARENT)
#: The most bytes of an error that a span keeps.
_MAX_MESSAGE_BYTES = 1024
_MAX_TRACEBACK_BYTES = 8 * 1024


class Work:
    """A span that has begun; `end` it once, on any thread. In ``context`` it is the current one.

    A context manager that ends it after the block, with the error if that raises one.
    """

    __slots__ = ("_span", "context")

    def __init__(self, span: Span, context: Context) -> None:
        self._span = span
        self.context = context

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.end(exc)

    @property
    def fields(self) -> Mapping[str, str]:
        """The headers that have its context."""
        return _fields(self.context)

    @property
    def is_recording(self) -> bool:
        """Whether it is one that is kept; not, if it is none of the sample."""
        return self._span.is_recording()

    def end(self, error: BaseException | None = None, attributes: Mapping[str, Any] | None = None) -> None:
        """End it, with the error if it failed."""
        span = self._span
        if not span.is_recording():
            return
        if attributes:
            span.set_attributes(attributes)
        if error is not None:
            _fail(span, error)
        span.end()


class _Unrecorded(NonRecordingSpan):
    """A span of another process that is not recorded. Its context is read when it is first asked for.

    Few jobs ask: those that send something.
    """

    _found: SpanContext | None = None

    def __init__(self, read_fields: Callable[[T], Mapping[str, str]], record: T) -> None:
        self._read_fields = read_fields
        self._record = record

    def get_span_context(self) -> SpanContext:
        if self._found is None:
            parent = _PROPAGATOR.extract(self._read_fields(self._record), _NO_PARENT)
            self._found = trace.get_current_span(parent).get_span_context()
        return self._found


class Spans:
    """Makes the spans of one provider. Safe for any thread."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("todo-workers", _version(), schema_url=names.SCHEMA_URL)
        self._provider = provider
        #: Whether a child of a span that is not recorded is not either: then it need not be made.
        self.follows_unrecorded = _follows_unrecorded(provider)

    def here(self) -> Context:
        """The current context."""
        return contexts.get_current()

    #: Makes a context the current one of this thread or task; `detach` undoes that there, with its result.
    attach = staticmethod(contexts.attach)
    detach = staticmethod(contexts.detach)

    def unrecorded(self, read_fields: Callable[[T], Mapping[str, str]], record: T) -> Context:
        """The context of a span that is not recorded; ``read_fields`` reads the headers of its record."""
        # As `set_span_in_context` does, which takes three calls more: almost every job comes here.
        return Context({_SPAN_KEY: _Unrecorded(read_fields, record)})

    @contextmanager
    def within(self, context: Context) -> Iterator[None]:
        """Make a context the current one in a block."""
        token = contexts.attach(context)
        try:
            yield
        finally:
            contexts.detach(token)

    def ids(self) -> tuple[str, str] | None:
        """The ids of the current trace and span, in hexadecimal."""
        found = trace.get_current_span().get_span_context()
        if not found.is_valid:
            return None
        return trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id)

    def flush(self, timeout_ms: int) -> None:
        """Send what has ended, within the time, if the provider is one that can."""
        flush = getattr(self._provider, "force_flush", None)
        if flush is not None:
            flush(timeout_ms)

    @contextmanager
    def creating(self, topic: str) -> Iterator[Mapping[str, str]]:
        """See `active.creating`."""
        here = contexts.get_current()
        if trace.get_current_span(here).get_span_context().is_valid:
            yield _fields(here)
            return
        with self._sending(names.CREATE, topic, ()) as work, self.within(work.context):
            yield work.fields

    def send(self, topic: str, headers: Iterable[tuple[str, bytes]]) -> Work:
        """Begin the span of a record that is written; ``headers`` are its own."""
        return self._sending(names.SEND, topic, headers)

    def process(
        self, topic: str, sent_by: Mapping[str, str], attributes: Mapping[str, Any], *, is_late: bool
    ) -> Work:
        """Begin the span of a job that starts now, out of a record of ``topic``.

        ``sent_by`` are the headers with the context of the span that sent it. That is its parent or, if the
        job ``is_late``, has a link from it.
        """
        parent = _PROPAGATOR.extract(sent_by, _NO_PARENT)
        links: list[Link] = []
        if is_late and parent is not _NO_PARENT:
            links = [Link(trace.get_current_span(parent).get_span_context())]
            parent = _NO_PARENT
        span = self._tracer.start_span(
            f"{names.PROCESS} {topic}",
            parent,
            SpanKind.CONSUMER,
            {**_messaging(names.PROCESS, topic), **attributes},
            links,
        )
        return Work(span, trace.set_span_in_context(span, _NO_PARENT))

    def begin(self, name: str, attributes: Mapping[str, Any], kind: SpanKind = SpanKind.CLIENT) -> Work:
        """See `active.begin`."""
        here = contexts.get_current()
        span = self._tracer.start_span(name, here, kind, attributes)
        return Work(span, trace.set_span_in_context(span, here))

    def note(self, name: str, context: Context, began_ns: int, attributes: Mapping[str, Any]) -> None:
        """See `active.note`."""
        self._tracer.start_span(name, context, attributes=attributes, start_time=began_ns).end()

    def _sending(self, operation: str, topic: str, headers: Iterable[tuple[str, bytes]]) -> Work:
        attributes = _messaging(operation, topic)
        for name, value in headers:
            if (known := _OF_HEADERS.get(name)) is not None:
                attributes[known] = value.decode(errors="replace")
        return self.begin(f"{operation} {topic}", attributes, SpanKind.PRODUCER)


#: The attributes that a job's headers tell.
_OF_HEADERS = {"message-id": names.MESSAGE_ID, "actor": names.ACTOR, "queue": names.QUEUE}


def _messaging(operation: str, topic: str) -> dict[str, Any]:
    """The attributes of every span of a record."""
    return {
        names.SYSTEM: names.KAFKA,
        names.OPERATION_NAME: operation,
        names.OPERATION_TYPE: operation,
        names.DESTINATION: topic,
    }


def _fields(context: Context) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    _PROPAGATOR.inject(fields, context)
    return fields


def _fail(span: Span, error: BaseException) -> None:
    kind, message = kind_of(error), message_of(error, _MAX_MESSAGE_BYTES)
    span.set_attribute(names.ERROR_TYPE, kind)
    # Not by `record_exception`, which has no limits, and trusts that an exception can be asked for its text.
    told = {names.EXCEPTION_TYPE: kind, names.EXCEPTION_MESSAGE: message}
    span.add_event(
        names.EXCEPTION, {**told, names.EXCEPTION_TRACEBACK: traceback_of(error, _MAX_TRACEBACK_BYTES)}
    )
    span.set_status(StatusCode.ERROR, message)


def _follows_unrecorded(provider: TracerProvider) -> bool:
    sampler = getattr(provider, "sampler", None)
    if sampler is None:  # the provider is not that of OpenTelemetry's SDK
        return False
    # It is meant for people, and is the only public way to tell.
    text: str = sampler.get_description()
    return text.startswith("ParentBased{") and "remoteParentNotSampled:AlwaysOffSampler," in text


def _version() -> str | None:
    try:
        return version("todo-workers")
    except PackageNotFoundError:  # it runs from its sources
        return None
