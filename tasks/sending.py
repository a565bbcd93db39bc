"""The actor that mails a notice, whatever made it."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import dramatiq

from .app import broker, mailer, sender
from .mail import compose
from .notices import Notice, parse_notice
from .notifications import render

logger = logging.getLogger(__name__)


@dramatiq.actor(broker=broker, queue_name="notifications", max_retries=0)
def send_notice(notice: dict[str, Any]) -> None:
    """Mail a notice, given as JSON values, to its recipient; `notice_job` makes the job."""
    deliver(parse_notice(notice))


def deliver(notice: Notice) -> None:
    """Mail the notice. A repetition sends the same Message-ID again."""
    recipient = notice.recipient
    message = compose(
        render(notice),
        sender=sender,
        recipient=recipient,
        message_id=f"<{notice.id}@todo-workers>",
        date=datetime.now(UTC),
    )
    asyncio.run(mailer.send(message, sender=sender, recipient=recipient.email))
    logger.info("mail.sent notice_id=%s kind=%s", notice.id, notice.kind)


def notice_job(notice: Notice) -> dramatiq.Message[None]:
    """Give the job that sends ``notice``: always with the same id. Enqueue it, with a delay or without."""
    message = send_notice.message_with_options(
        args=(notice.model_dump(mode="json"),), key=notice.recipient.email
    )
    return message.copy(message_id=str(notice.id))
