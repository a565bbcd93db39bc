"""The actors that mail a notice: about an event, or made by anything else. Each may run more than once."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid5

import dramatiq

from workers.errors import WorkersError

from ..app import broker, max_delay, notifier, settings
from ..events.fields import Part
from ..events.models import TodoEvent, read_event
from ..notifications.notice import Notice, notice_of, parse_notice
from . import updates
from .arguments import EventData, NoticeData
from .event_jobs import job_id


@dramatiq.actor(broker=broker, queue_name="notifications")
def send_notification(event: EventData) -> None:
    """Mail the owner of the todo what happened to it."""
    read = read_event(event)
    read.require(Part.OWNER)
    _deliver(notice_about(read.event), read.event.todo_id)


def notice_about(event: TodoEvent) -> Notice:
    """The notice that an event makes."""
    return notice_of(event, id=job_id(event.event_id, send_notification))


@dramatiq.actor(broker=broker, queue_name="notifications")
def send_notice(notice: NoticeData) -> None:
    """Mail a notice, given as JSON values, to its recipient; `notice_job` makes the job."""
    _deliver(parse_notice(notice))


def notice_job(notice: Notice) -> dramatiq.Message[None]:
    """Make the job that mails ``notice``: always with the same id. Enqueue it, with a delay or without."""
    message = send_notice.message_with_options(
        args=(notice.model_dump(mode="json"),), key=notice.recipient.email
    )
    return message.copy(message_id=str(notice.id))


# These jobs wait for the mail server, each on its thread: half of the threads stay free for what does not.
broker.set_prefetch(send_notification.queue_name, max(1, settings.worker.threads // 2))


def _deliver(notice: Notice, todo_id: str | None = None) -> None:
    def postpone(notice: Notice, until: datetime, at: datetime) -> None:
        _enqueue_at(notice, until, at)
        if at == until:  # else that was announced before
            updates.mail_postponed(notice, until, todo_id)

    updates.mail(notice, notifier(postpone=postpone).deliver(notice), todo_id)


def _enqueue_at(notice: Notice, until: datetime, at: datetime) -> None:
    # The same job for the same end of quiet hours, however often it is enqueued.
    job = notice_job(notice).copy(message_id=str(uuid5(notice.id, until.isoformat())))
    now = datetime.now(UTC)
    # One that comes again for a job that may only be a repetition must not be refused for its delay.
    latest = max(until, now + max_delay)
    # Rounded up: the delay must not end before the time.
    delay_ms = math.ceil((min(at, latest) - now).total_seconds() * 1000)
    broker.enqueue(job, delay=max(0, delay_ms))


class AnnouncesGivenUp(dramatiq.Middleware):
    """Says that a mail was given up, once its job becomes a dead letter."""

    def after_nack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        # What cannot be read is nobody's mail; the dead letter says so.
        with suppress(WorkersError):
            if message.actor_name == send_notification.actor_name:
                event = read_event(message.args[0]).event
                updates.mail_given_up(notice_about(event), event.todo_id)
            elif message.actor_name == send_notice.actor_name:
                updates.mail_given_up(parse_notice(message.args[0]), None)


broker.add_middleware(AnnouncesGivenUp())
