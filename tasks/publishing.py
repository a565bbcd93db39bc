"""Publishes events, so that the workers learn from chatbot code what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import email_validator  # noqa: F401 - loaded with this, not by the first event: an event loop may wait for that

from workers.broker.sending import Written
from workers.errors import WorkersError
from workers.outbox.session import AnySession
from workers.records.envelope import Record, require_size, with_headers
from workers.traces.active import creating

from .app import broker, event_log
from .events.cloud_events import record_of
from .events.models import Event, TodoEvent, parse_event
from .events.trace_context import in_context


def publish(event: TodoEvent | Mapping[str, Any], *, session: AnySession | None = None) -> Event:
    """Write ``event`` into the event log, as one record; returns it as it was written.

    Blocks until all in-sync replicas have it; safe for use by many threads. An event may be published again,
    after an error or for safety: its effects happen once.

    With a ``session`` of SQLAlchemy, also an asynchronous one, it does no I/O: the event is published at
    least once, by a relay, if the session's transaction is committed, and never if it is rolled back. The
    session's database needs the table of `workers.outbox.table`.

    Raises:
        InvalidEvent: it does not validate; nothing was written.
        workers.errors.WorkersError: Kafka did not take it; the text says why.
    """
    with creating(event_log) as context:
        parsed, record = _checked(event, context)
        if session is None:
            broker.sending.deliver(event_log, record)
            return parsed
        from workers.outbox.adding import add

        add(session, event_log, record, name=str(parsed.event_id), about=parsed.type)
        return parsed


async def publish_async(event: TodoEvent | Mapping[str, Any]) -> Event:
    """As `publish`, for asyncio code: the event loop keeps running until Kafka confirms."""
    with creating(event_log) as context:
        parsed, record = _checked(event, context)
        await broker.sending.deliver_async(event_log, record)
        return parsed


def make_record(event: TodoEvent | Mapping[str, Any]) -> tuple[Event, Record]:
    """Check an event, and make the record that publishes it; does no I/O.

    Raises:
        InvalidEvent: it does not validate.
        workers.errors.MessageTooLarge: it does not fit into a record.
    """
    with creating(event_log) as context:
        return _checked(event, context)


def write_event(record: Record) -> None:
    """Write the record of an event; blocks until all in-sync replicas have it. Raises KafkaUnreachable."""
    broker.sending.deliver(event_log, record)


async def write_events(records: Sequence[Record]) -> Sequence[Written | WorkersError]:
    """Write records of events, as `events.accepted` makes them; returns where each is, or its error.

    They are written in their order, and all are waited for at once; the event loop keeps running. Raises
    KafkaUnreachable if none was written.
    """
    return await broker.sending.deliver_each_async(event_log, records)


def _checked(event: TodoEvent | Mapping[str, Any], context: Mapping[str, str]) -> tuple[Event, Record]:
    # A model is validated again, as `model_copy` and `model_construct` validate nothing.
    parsed = parse_event(event.model_dump(warnings=False) if isinstance(event, TodoEvent) else event)
    parsed, headers = in_context(parsed, context)
    record = with_headers(record_of(parsed), headers)
    require_size(record, f"the event {parsed.event_id}")
    return parsed, record
