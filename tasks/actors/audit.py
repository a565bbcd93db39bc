"""The actor that records an event in the audit trail."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import dramatiq

from ..app import audit_store, broker
from ..events.models import AnyEvent, read_any_event
from . import updates
from .arguments import EventData

logger = logging.getLogger(__name__)


@dramatiq.actor(broker=broker, queue_name="audit")
def record_audit(event: EventData) -> None:
    """Add the event to the audit trail, unless it is there; also one of a type that is not known."""
    record(read_any_event(event).event)


def record(event: AnyEvent) -> None:
    """Do the work of `record_audit`."""
    from ..audit.trail import Recording

    outcome = audit_store().record(event, recorded_at=datetime.now(UTC))
    level = logging.WARNING if outcome is Recording.DIFFERS else logging.INFO
    ids = (event.event_id, event.type, event.todo_id)
    logger.log(level, "audit.%s event_id=%s type=%s todo_id=%s", outcome, *ids)
    updates.event_recorded(event)
