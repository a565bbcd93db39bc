"""The actors that do the chatbot's work. Each may run more than once for an event."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid5

import dramatiq
from pydantic import AfterValidator

from workers.records.sources import Incoming

from ..app import audit_store, broker, event_log, mailer
from ..audit.trail import Outcome
from ..events.cloud_events import event_of
from ..events.models import TodoEvent, parse_any_event, parse_event
from ..notifications.notice import notice_of
from .notifications import deliver
from .reminders import sync_reminder

logger = logging.getLogger(__name__)

#: An event as JSON values: what `parse_any_event` reads. The annotation is for whoever mends a dead letter's
#: arguments; a job's own are read by its actor.
EventData = Annotated[dict[str, Any], AfterValidator(lambda data: parse_any_event(data) and data)]

#: An actor that brings about one effect of an event.
Effect = dramatiq.Actor[[EventData], None]


@dramatiq.actor(broker=broker, queue_name="audit")
def record_audit(event: EventData) -> None:
    """Add the event to the audit trail, unless it is there; also one of a type that is not known."""
    parsed = parse_any_event(event)
    outcome = audit_store().record(parsed, recorded_at=datetime.now(UTC))
    level = logging.WARNING if outcome is Outcome.DIFFERS else logging.INFO
    ids = (parsed.event_id, parsed.type, parsed.todo_id)
    logger.log(level, "audit.%s event_id=%s type=%s todo_id=%s", outcome, *ids)


@dramatiq.actor(broker=broker, queue_name="notifications")
def send_notification(event: EventData) -> None:
    """Mail the owner of the todo what happened to it."""
    parsed = parse_event(event)
    deliver(notice_of(parsed, id=job_id(parsed.event_id, send_notification)))


#: How long the event log keeps an event, handled or not.
EVENT_LOG_RETENTION_MS = 30 * 24 * 3_600_000

#: What is done about every event that is known, in this order: the mail may take long. One of another type is
#: only recorded.
EFFECTS = (record_audit, sync_reminder, send_notification)


@dramatiq.actor(broker=broker, queue_name="events")
def handle_event(event: EventData) -> None:
    """See to every effect of the event, at once where that is possible; else a job of its own does it.

    A job for each would cost twice the time. Nothing waits for a mail server that is slow or away, and what
    fails is tried again for itself, in its own queue. Handled again, the event has the same effects once.

    Raises:
        InvalidEvent: it does not validate.
    """
    left = [actor for actor in effects_of(event) if not _is_done_at_once(actor, event)]
    if left:
        with broker.batch():
            for one in jobs_for(event, left):
                broker.enqueue(one)


def _is_done_at_once(actor: Effect, event: EventData) -> bool:
    if actor is send_notification and not mailer().is_ready:
        return False
    try:
        actor.fn(event)
    except Exception as exc:  # noqa: BLE001 - its job will meet it again, and say what it is
        logger.warning("event.later event_id=%s actor=%s: %s", event.get("event_id"), actor.actor_name, exc)
        return False
    return True


def job_of(record: Incoming) -> dramatiq.Message[None]:
    """Give the job of a record of the event log, whoever wrote it. Raises Undecodable."""
    event = event_of(record)
    subject = event["cloudevent"].get("subject") or event.get("subject")
    key = subject or (record.key or b"").decode(errors="replace") or event["event_id"]
    message = handle_event.message_with_options(args=(event,), key=str(key))
    return message.copy(message_id=event["event_id"], message_timestamp=record.timestamp_ms)


broker.add_source(handle_event.queue_name, event_log, job_of, retention_ms=EVENT_LOG_RETENTION_MS)


def effects_of(event: EventData) -> Sequence[Effect]:
    """Give the actors of all effects of an event. Raises InvalidEvent where it does not validate."""
    return EFFECTS if isinstance(parse_any_event(event), TodoEvent) else (record_audit,)


def jobs_for(event: EventData, actors: Iterable[Effect]) -> list[dramatiq.Message[None]]:
    """Give a job for each of ``actors``, always with the same ids. Raises InvalidEvent."""
    parsed = parse_any_event(event)
    key = parsed.todo_id or str(parsed.event_id)
    return [job(actor, event, key=key, message_id=job_id(parsed.event_id, actor)) for actor in actors]


def job(actor: Effect, event: EventData, *, key: str, message_id: UUID) -> dramatiq.Message[None]:
    """Give a job about ``event``; jobs of a queue with the same ``key`` are in one partition, in order."""
    message = actor.message_with_options(args=(event,), key=key)
    return message.copy(message_id=str(message_id))


def job_id(event_id: UUID, actor: dramatiq.Actor[..., Any]) -> UUID:
    """Give the id of the job that ``actor`` has for an event: always the same one."""
    return uuid5(event_id, actor.actor_name)
