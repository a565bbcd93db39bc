"""Writes a record for the event log as another service does, with the CloudEvents library alone. Pure."""

from __future__ import annotations

from cloudevents.core.bindings.kafka import to_binary_event
from cloudevents.core.v1.event import CloudEvent

from workers.records.envelope import Record

from ..events.models import TodoEvent


def record_in_binary_mode(event: TodoEvent) -> Record:
    """Make the record of ``event`` in binary mode: its attributes are headers, its value is the data."""
    attributes = {
        "id": str(event.event_id),
        "source": "/demo/other-service",
        "type": event.type,
        "time": event.time,
        "datacontenttype": "application/json",
    }
    data = event.model_dump(mode="json", include={"actor", "todo"})
    message = to_binary_event(CloudEvent(attributes, data))
    return Record(event.todo.id.encode(), message.value, list(message.headers.items()))
