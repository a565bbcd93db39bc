"""The actor that handles an event, with all of its effects. It may run more than once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dramatiq

from workers.records.sources import Incoming

from ..app import broker, event_log, mailer, settings
from ..events.cloud_events import event_of
from ..events.models import AnyEvent, ReadEvent, TodoEvent, read_any_event
from .arguments import EventData
from .audit import record, record_audit
from .event_jobs import EventActor, jobs_for
from .notifications import notify, send_notification
from .reminders import sync, sync_reminder

logger = logging.getLogger(__name__)

#: How long the event log keeps an event, handled or not.
EVENT_LOG_RETENTION_MS = 30 * 24 * 3_600_000


@dataclass(frozen=True)
class Effect:
    """One effect of an event: ``run`` brings it about at once, a job of ``actor`` does so later.

    Both raise InvalidEvent if this effect cannot use a part of the event; the others happen all the same.
    """

    actor: EventActor
    run: Callable[[ReadEvent[Any]], None]


#: The effects of an event about a todo, in this order: the mail may take long. An event of another type is
#: only recorded.
EFFECTS = (
    Effect(record_audit, lambda read: record(read.event)),
    Effect(sync_reminder, sync),
    Effect(send_notification, notify),
)


@dramatiq.actor(broker=broker, queue_name="events")
def handle_event(event: EventData) -> None:
    """Bring about every effect of the event, at once if possible; otherwise a job of its own does so.

    The event is parsed once for all of them. A job for each effect would cost twice the time. Nothing waits
    for a mail server that is slow or away, and an effect that fails is tried again alone, in its own queue,
    where its dead letter says why. Handled again, the event has the same effects once.

    Raises:
        InvalidEvent: it cannot even be recorded.
    """
    read = read_any_event(event)
    left = [effect.actor for effect in effects_of(read.event) if not _is_done_at_once(effect, read)]
    if left:
        with broker.batch():
            for one in jobs_for(read.event, event, left):
                broker.enqueue(one)


def _is_done_at_once(effect: Effect, read: ReadEvent[AnyEvent]) -> bool:
    if effect.actor is send_notification and not mailer().is_ready:
        return False
    try:
        effect.run(read)
    except Exception as exc:  # noqa: BLE001 - its job will meet it again, and say what it is
        ids = (read.event.event_id, effect.actor.actor_name)
        logger.warning("event.later event_id=%s actor=%s: %s", *ids, exc)
        return False
    return True


def effects_of(event: AnyEvent) -> Sequence[Effect]:
    """The effects of an event; one of an unknown type is only recorded."""
    return EFFECTS if isinstance(event, TodoEvent) else EFFECTS[:1]


def job_of(record: Incoming) -> dramatiq.Message[None]:
    """The job of a record of the event log, whoever wrote it. Raises Undecodable."""
    event = event_of(record, max_ahead=settings.event.max_ahead)
    subject = event["cloudevent"].get("subject") or event.get("subject")
    key = subject or (record.key or b"").decode(errors="replace") or event["event_id"]
    message = handle_event.message_with_options(args=(event,), key=str(key))
    return message.copy(message_id=event["event_id"], message_timestamp=record.timestamp_ms)


broker.add_source(handle_event.queue_name, event_log, job_of, retention_ms=EVENT_LOG_RETENTION_MS)
