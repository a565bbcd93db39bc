"""Which failures of the chatbot's jobs are permanent, and how often the others are tried again. Pure.

A job with a permanent failure becomes a dead letter at once. Any other failure (a database or a mail server
that is away, a mail server that says "later") is tried again. This holds for every actor.
"""

from __future__ import annotations

from pydantic import ValidationError

from workers.errors import MessageTooLarge
from workers.middleware.retries import Retries

from .events.models import InvalidEvent
from .notifications.notice import InvalidNotice, RenderError
from .schedules.rules import InvalidRule
from .smtp.mail import MailRefused

#: Errors that come again until the data, the code or the templates change.
PERMANENT = (
    InvalidEvent,
    InvalidNotice,
    InvalidRule,
    MailRefused,
    MessageTooLarge,
    RenderError,
    ValidationError,
)

#: The first retry comes after 1 to 2 s, each later one after about twice the time, up to an hour; the last
#: one comes about a day after the first.
MIN_BACKOFF_MS = 1_000
MAX_BACKOFF_MS = 3_600_000
MAX_RETRIES = 40


def is_permanent(error: BaseException) -> bool:
    """Whether ``error`` would happen again however often its job is tried."""
    return isinstance(error, PERMANENT)


def retries() -> Retries:
    """The middleware that has the broker try the chatbot's jobs again."""
    return Retries(
        is_permanent=is_permanent,
        max_retries=MAX_RETRIES,
        min_backoff=MIN_BACKOFF_MS,
        max_backoff=MAX_BACKOFF_MS,
    )
