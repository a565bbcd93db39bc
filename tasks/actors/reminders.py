"""The actors of the reminders. Each may run more than once with the same arguments."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import dramatiq

from workers.middleware.runs_thread import RunsThread
from workers.traces.active import within

from ..app import broker, database, kept_days, max_delay, reconcile_every, reminder_policy, reminder_store
from ..events.fields import Part
from ..events.models import read_event
from ..notifications.notice import Notice
from ..reminders.known_todo import may_set_reminders
from ..reminders.reconcile_timer import ReconcileTimer
from . import updates
from .arguments import EventData
from .notifications import notice_job

if TYPE_CHECKING:
    from ..reminders.keeper import ReminderKeeper
    from ..reminders.outcomes import AlarmToSet

logger = logging.getLogger(__name__)

#: For how long the database is pruned at a time; what is left then is for the next time.
_PRUNE_S = 60.0

_NO_CONTEXTS: Mapping[AlarmToSet, Any] = MappingProxyType({})


@dramatiq.actor(broker=broker, queue_name="reminders")
def sync_reminder(event: EventData) -> None:
    """Bring the reminders of a todo in step with an event about it; events may arrive in any order."""
    read = read_event(event)
    if may_set_reminders(read.event):
        read.require(Part.OWNER, Part.SCHEDULE)
    alarms = keeper().sync(read.event, datetime.now(UTC))
    updates.reminders_set(read.event, alarms)
    updates.reminders_called_off(read.event)


@dramatiq.actor(broker=broker, queue_name="reminders")
def fire_reminder(reminder_id: str, version: int) -> None:
    """Send a reminder and set its next alarm; does nothing if the reminder has another version by now."""
    fired = keeper().fire(reminder_id, version, datetime.now(UTC))
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
        updates.reminder_fired(reminder_id, fired)


@dramatiq.actor(broker=broker, queue_name="reminders", time_limit=3_600_000)
def reconcile_reminders() -> None:
    """Set the alarms and send the notices that are missing, however they were lost; prune the database."""
    try:
        done = keeper().reconcile(datetime.now(UTC))
        logger.info("reminders.reconciled alarms=%d notices=%d", done.alarms, done.notices)
    finally:  # a notice that is not valid would keep it off for ever
        _prune()


def _prune() -> None:
    from ..pruning import prune
    from ..storage.portions import Portions

    pruned = prune(database(), datetime.now(UTC), **kept_days, portions=Portions(_PRUNE_S))
    if pruned:
        counts = (pruned.deliveries, pruned.firings, pruned.todos)
        logger.info("database.pruned deliveries=%d firings=%d todos=%d", *counts)


def keeper(contexts: Mapping[AlarmToSet, Any] = _NO_CONTEXTS) -> ReminderKeeper:
    """The keeper of the reminders in this process's database; ``contexts`` are as for `set_alarms`."""
    from ..reminders.keeper import ReminderKeeper

    return ReminderKeeper(
        reminder_store(),
        set_alarms=partial(set_alarms, contexts=contexts),
        send_notices=send_notices,
        policy=reminder_policy,
        max_delay=max_delay,
        horizon=2 * reconcile_every,
    )


def set_alarms(alarms: Sequence[AlarmToSet], contexts: Mapping[AlarmToSet, Any] = _NO_CONTEXTS) -> None:
    """Enqueue a delayed job for each alarm; returns when Kafka has them. Raises KafkaUnreachable.

    ``contexts`` are those of the traces that jobs belong to; others belong to the trace of this thread.
    """
    now = datetime.now(UTC)
    with broker.batch():
        for alarm in alarms:
            # Rounded up: an alarm that comes a moment early is set again.
            delay_ms = math.ceil((alarm.at - now).total_seconds() * 1000)
            with within(contexts.get(alarm)):
                broker.enqueue(alarm_job(alarm), delay=max(0, delay_ms))


def alarm_job(alarm: AlarmToSet) -> dramatiq.Message[None]:
    """The job that is an alarm: always the same id for the same version of a reminder."""
    message = fire_reminder.message_with_options(
        args=(alarm.reminder_id, alarm.version), key=alarm.reminder_id
    )
    return message.copy(message_id=str(uuid5(UUID(alarm.reminder_id), f"alarm {alarm.version}")))


def send_notices(notices: Sequence[Notice]) -> None:
    """Enqueue the jobs that send these notices; returns when Kafka has them. Raises KafkaUnreachable."""
    with broker.batch():
        for notice in notices:
            broker.enqueue(notice_job(notice))


def _reconcile_timer(_broker: dramatiq.Broker) -> ReconcileTimer:
    from ..storage.shared_work import SharedWork

    return ReconcileTimer(
        lambda: SharedWork(database(), "reconcile reminders"),
        reconcile_reminders.send,
        reconcile_every,
    )


class RunsReconcileTimer(RunsThread[ReconcileTimer]):
    """Runs the timer in every worker process. A class of its own, as dramatiq warns of two of the same."""


broker.add_middleware(RunsReconcileTimer(_reconcile_timer))
