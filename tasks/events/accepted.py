"""Checks an event that somebody sends as a CloudEvent before it is written into the event log. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workers.display.spelling import did_you_mean
from workers.errors import Undecodable
from workers.records.envelope import Record, require_size, with_headers
from workers.records.sources import Incoming

from .cloud_events import event_of, record_of
from .models import EVENT_TYPES, Event, InvalidEvent, OtherEvent, parse_any_event
from .trace_context import in_context

#: Types that begin like this are ours: one that is not known is a mistake.
_OUR_TYPES = "todo."


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that can be published, and its record for the event log."""

    event: Event | OtherEvent
    record: Record


def accept(sent: Incoming, context: Mapping[str, str] | None = None) -> Accepted:
    """Read an event in binary or structured mode, and make the record that publishes it.

    A todo event must be valid as a whole. One of another type is handed on as it is: it is recorded in the
    audit trail, and has no other effect. An event without a time has that of ``sent``. ``context`` has the
    headers of the span that publishes it, if there is one.

    Raises:
        Undecodable: it is no CloudEvent.
        InvalidEvent: it is no valid todo event, or its type begins with ``todo.`` and is unknown.
        MessageTooLarge: it does not fit into a record.
    """
    try:
        event = parse_any_event(event_of(sent, max_ahead=None))
    except RecursionError as exc:
        raise Undecodable(
            "the record is no event that can be handled: its JSON is nested too deep", b""
        ) from exc
    event, headers = in_context(event, context or {})
    record = _as_it_is(event, sent) if isinstance(event, OtherEvent) else record_of(event)
    record = with_headers(record, headers)
    require_size(record, f"the event {event.event_id}")
    return Accepted(event, record)


def _as_it_is(event: OtherEvent, sent: Incoming) -> Record:
    if event.type.startswith(_OUR_TYPES):
        hint = did_you_mean(event.type, EVENT_TYPES)
        raise InvalidEvent(
            f"Not a valid todo event: type: {event.type!r} is not one of {', '.join(EVENT_TYPES)}{hint}"
        )
    headers = [(name, value) for name, value in sent.headers if value is not None]
    return Record((event.subject or str(event.event_id)).encode(), sent.value, headers)
