"""A producer whose records carry the context of the span that sends them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import WorkersError
from ..records.envelope import Record, with_headers
from ..records.headers import text_of
from ..traces import names

if TYPE_CHECKING:
    from ..traces.spans import Spans, Work

#: Instead of the span of a record that has none.
_NOTHING = nullcontext()


class Producer(Protocol):
    """The parts of a `DurableProducer` that sending needs."""

    def send(self, topic: str, record: Record, *, deadline: float | None = None) -> Any: ...

    def deliver(self, topic: str, record: Record, *, deadline: float | None = None) -> Any: ...

    async def deliver_async(self, topic: str, record: Record, *, deadline: float | None = None) -> Any: ...

    async def deliver_each_async(
        self, topic: str, records: Iterable[Record], *, deadline: float | None = None
    ) -> Sequence[Any | WorkersError]: ...


class TracedProducer:
    """Writes records as its producer does, each in a span of its own, until Kafka has confirmed it.

    One that has a context goes as it is: a job that is tried again keeps that of the span which sent it
    first, and an event that of whoever published it.
    """

    def __init__(self, producer: Producer, spans: Spans) -> None:
        self._producer = producer
        self._spans = spans

    def send(self, topic: str, record: Record, *, deadline: float | None = None) -> Any:
        """Hand a record over; its span ends when the future does, on the producer's thread."""
        record, work = self._begin(topic, record)
        if work is None:
            return self._producer.send(topic, record, deadline=deadline)
        try:
            future = self._producer.send(topic, record, deadline=deadline)
        except BaseException as exc:
            work.end(exc)
            raise
        if work.is_recording:
            future.add_callback(lambda _: work.end())
            future.add_errback(work.end)
        return future

    def deliver(self, topic: str, record: Record, *, deadline: float | None = None) -> Any:
        """Write a record and wait for it."""
        record, work = self._begin(topic, record)
        with work or _NOTHING:
            return self._producer.deliver(topic, record, deadline=deadline)

    async def deliver_async(self, topic: str, record: Record, *, deadline: float | None = None) -> Any:
        """Write a record and wait for it without blocking the event loop."""
        record, work = self._begin(topic, record)
        with work or _NOTHING:
            return await self._producer.deliver_async(topic, record, deadline=deadline)

    async def deliver_each_async(
        self, topic: str, records: Iterable[Record], *, deadline: float | None = None
    ) -> Sequence[Any | WorkersError]:
        """Write records in their order and wait for all of them without blocking the event loop."""
        begun = [self._begin(topic, record) for record in records]
        works = [work for _, work in begun]
        try:
            answers = await self._producer.deliver_each_async(
                topic, [record for record, _ in begun], deadline=deadline
            )
        except BaseException as exc:
            _end(works, exc)
            raise
        for work, answer in zip(works, answers, strict=True):
            _end([work], answer if isinstance(answer, WorkersError) else None)
        return answers

    def _begin(self, topic: str, record: Record) -> tuple[Record, Work | None]:
        """Begin a record's span, and put its context into the headers; not if they have one already."""
        if text_of(names.TRACEPARENT, record.headers) is not None:
            return record, None
        work = self._spans.send(topic, record.headers)
        return with_headers(record, work.fields), work


def _end(works: Iterable[Work | None], error: BaseException | None = None) -> None:
    for work in works:
        if work is not None:
            work.end(error)
