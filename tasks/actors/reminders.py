"""The actors of the reminders. Each may run more than once for the same."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

import dramatiq

from ..app import broker, database, max_delay, reconcile_every, reminder_policy, reminder_store
from ..events.models import parse_event
from ..notifications.notice import Notice
from ..reminders.keeper import ReminderKeeping
from ..reminders.reconcile_timer import RunsWatch, Watch
from ..reminders.store import AlarmToSet
from ..storage.shared_work import SharedWork
from .arguments import EventData
from .notifications import notice_job

logger = logging.getLogger(__name__)


@dramatiq.actor(broker=broker, queue_name="reminders")
def sync_reminder(event: EventData) -> None:
    """Bring the reminders of a todo in step with an event about it; events may come in any order."""
    keeping().sync(parse_event(event), datetime.now(UTC))


@dramatiq.actor(broker=broker, queue_name="reminders")
def fire_reminder(reminder_id: str, version: int) -> None:
    """Remind, and set the next alarm; does nothing where the reminder has another version by now."""
    fired = keeping().fire(reminder_id, version, datetime.now(UTC))
    if fired is None:
        logger.info("reminder.outdated reminder_id=%s version=%d", reminder_id, version)
    else:
        logger.info(
            "reminder.%s reminder_id=%s version=%d occurrence=%s passed=%d",
            fired.outcome,
            reminder_id,
            version,
            fired.occurrence.isoformat(),
            fired.passed,
        )


@dramatiq.actor(broker=broker, queue_name="reminders", time_limit=3_600_000)
def reconcile_reminders() -> None:
    """Set the alarms and send the notices that are missing, whatever lost them."""
    done = keeping().reconcile(datetime.now(UTC))
    logger.info("reminders.reconciled alarms=%d notices=%d", done.alarms, done.notices)


def keeping() -> ReminderKeeping:
    """Give the work on reminders, with this process's database."""
    return ReminderKeeping(
        reminder_store(),
        ring=set_alarms,
        tell=send_notices,
        policy=reminder_policy,
        max_delay=max_delay,
        horizon=2 * reconcile_every,
    )


def set_alarms(rings: Sequence[AlarmToSet]) -> None:
    """Enqueue a delayed job for each alarm; returns when Kafka has them. Raises KafkaUnreachable."""
    now = datetime.now(UTC)
    with broker.batch():
        for ring in rings:
            # Rounded up: an alarm that comes a moment early is set again.
            delay_ms = math.ceil((ring.at - now).total_seconds() * 1000)
            broker.enqueue(alarm_job(ring), delay=max(0, delay_ms))


def alarm_job(ring: AlarmToSet) -> dramatiq.Message[None]:
    """Give the job that is an alarm: always with the same id."""
    message = fire_reminder.message_with_options(args=(ring.reminder_id, ring.version), key=ring.reminder_id)
    return message.copy(message_id=str(uuid5(UUID(ring.reminder_id), f"alarm {ring.version}")))


def send_notices(notices: Sequence[Notice]) -> None:
    """Enqueue the jobs that send these notices; returns when Kafka has them. Raises KafkaUnreachable."""
    with broker.batch():
        for notice in notices:
            broker.enqueue(notice_job(notice))


def _watch() -> Watch:
    return Watch(
        lambda: SharedWork(database(), "reconcile reminders"),
        reconcile_reminders.send,
        reconcile_every,
    )


broker.add_middleware(RunsWatch(_watch))
