"""The actors that mail a notice: about an event, or made by anything else. Each may run more than once."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from uuid import uuid5

import dramatiq

from ..app import broker, notifier
from ..events.fields import Part
from ..events.models import ReadEvent, TodoEvent, read_event
from ..notifications.notice import Notice, notice_of, parse_notice
from .arguments import EventData, NoticeData
from .event_jobs import job_id


@dramatiq.actor(broker=broker, queue_name="notifications")
def send_notification(event: EventData) -> None:
    """Mail the owner of the todo what happened to it."""
    notify(read_event(event))


def notify(read: ReadEvent[TodoEvent]) -> None:
    """Do the work of `send_notification`. Raises InvalidEvent if the owner's data do not allow a mail."""
    read.require(Part.OWNER)
    _deliver(notice_of(read.event, id=job_id(read.event.event_id, send_notification)))


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


def _deliver(notice: Notice) -> None:
    notifier(postpone=_enqueue_at).deliver(notice)


def _enqueue_at(notice: Notice, until: datetime) -> None:
    # The same job for the same time, however often it is enqueued.
    job = notice_job(notice).copy(message_id=str(uuid5(notice.id, until.isoformat())))
    # Rounded up: the delay must not end before the time.
    delay_ms = math.ceil((until - datetime.now(UTC)).total_seconds() * 1000)
    broker.enqueue(job, delay=max(0, delay_ms))
