"""Lets each job run in a span of its own, if the process of the worker has a provider of traces."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import dramatiq

from ..measures.jobs import Outcome
from ..partitions.taken_message import TakenMessage
from ..records.consumed import ConsumedRecord
from ..records.headers import context_in, is_unrecorded
from ..records.sources import Source
from ..topics import Topics
from ..traces import active, names
from ..traces.environment import flush
from .revocation_guard import RevocationGuard

if TYPE_CHECKING:
    from ..traces.spans import Spans, Work

#: A job that starts later than this after it was created begins a trace of its own, with a link: hardly any
#: tool shows a trace that lasts for days, and many have decided about its parts by then.
SAME_TRACE_MS = 3_600_000


class HasSources(Protocol):
    """The parts of the broker that TracesJobs needs."""

    topics: Topics
    sources_of: Callable[[str], Sequence[Source]]
    middleware: list[dramatiq.Middleware]

    def add_middleware(
        self, middleware: dramatiq.Middleware, *, after: type[dramatiq.Middleware]
    ) -> None: ...


class TracesJobs(dramatiq.Middleware):
    """Looks for a provider when a worker boots; without one, no job takes notice of traces."""

    def before_worker_boot(self, broker: HasSources, worker: dramatiq.Worker) -> None:  # type: ignore[override]  # noqa: ARG002
        spans = active.spans()
        if spans is not None and not any(isinstance(one, JobSpans) for one in broker.middleware):
            # The first of those that begin with each job, so that the others run in the span.
            broker.add_middleware(JobSpans(spans, broker.topics, broker.sources_of), after=RevocationGuard)

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        flush()  # a process of dramatiq's command ends without Python's exit handlers, where SDKs do it


class _Running(threading.local):
    token: Any = None


class JobSpans(dramatiq.Middleware):
    """Makes the spans of jobs. One lasts until its job is done, is tried again, or is a dead letter."""

    def __init__(self, spans: Spans, topics: Topics, sources_of: Callable[[str], Sequence[Source]]) -> None:
        """``sources_of`` names the sources of a queue."""
        self._spans = spans
        self._attach, self._detach = spans.attach, spans.detach
        self._topics = topics
        self._sources_of = sources_of
        self._running = _Running()

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        if isinstance(message, TakenMessage):
            self._running.token = self._attach(self._context_of(message))

    def after_process_message(
        self,
        broker: dramatiq.Broker,  # noqa: ARG002
        message: dramatiq.MessageProxy,  # noqa: ARG002
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        token, self._running.token = self._running.token, None
        if token is not None:
            self._detach(token)

    after_skip_message = after_process_message

    def _context_of(self, message: TakenMessage) -> Any:
        """The context that a job runs in: that of its span, which begins now."""
        record = message.record
        is_late = message.started_at * 1000 - message.message_timestamp > SAME_TRACE_MS
        if self._spans.follows_unrecorded and not is_late and is_unrecorded(record):
            return self._spans.unrecorded(_context_of_sender, record)
        attributes = {
            names.GROUP: self._topics.group(message.queue_name),
            names.PARTITION: str(record.partition),
            names.OFFSET: record.offset,
            names.MESSAGE_ID: message.message_id,
            names.ACTOR: message.actor_name,
            names.QUEUE: message.queue_name,
            names.ATTEMPT: message.attempt,
        }
        work = self._spans.process(record.topic, self._sent_by(message), attributes, is_late=is_late)
        if work.is_recording:
            message.when_done = partial(_end, work)
        return work.context

    def _sent_by(self, message: TakenMessage) -> dict[str, str]:
        found = context_in(message.record.headers)
        for source in self._sources_of(message.queue_name):
            if not found and source.topic == message.record.topic and source.find_context is not None:
                found = dict(source.find_context(message))
        return found


def _context_of_sender(record: ConsumedRecord) -> dict[str, str]:
    return context_in(record.headers)


def _end(work: Work, outcome: Outcome, error: BaseException | None) -> None:
    # This is how an actor asks to run again later.
    failed = None if isinstance(error, dramatiq.errors.Retry) else error
    work.end(failed, {names.OUTCOME: outcome.name.lower()})
