"""The actor that handles an event: it sees to all of the event's effects. It may run more than once."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import dramatiq

from workers.records.sources import Incoming

from ..app import broker, event_log, mailer
from ..events.cloud_events import event_of
from ..events.models import TodoEvent, parse_any_event
from .arguments import EventData
from .audit import record_audit
from .event_jobs import Effect, jobs_for
from .notifications import send_notification
from .reminders import sync_reminder

logger = logging.getLogger(__name__)

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
