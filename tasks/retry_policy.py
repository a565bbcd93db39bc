"""Which failures of the chatbot's jobs retrying can mend, and how often it is tried: said here alone.

Pure. The broker asks for every actor: what is permanent becomes a dead letter at once, whatever else fails
(a database or a mail server that is away, a mail server that says "later") is tried again.
"""

from __future__ import annotations

from pydantic import ValidationError

from workers.errors import MessageTooLarge
from workers.middleware.retries import Retries

from .events.models import InvalidEvent
from .notifications.notice import InvalidNotice, RenderError
from .schedules.rules import InvalidRule
from .smtp.mail import MailRefused

#: They would happen again: the data, or the code and its templates, must change first.
PERMANENT = (
    InvalidEvent,
    InvalidNotice,
    InvalidRule,
    MailRefused,
    MessageTooLarge,
    RenderError,
    ValidationError,
)

#: The first retry comes after 1 to 2 s, each later one after about twice as long, up to an hour; the last one
#: about a day after the first.
MIN_BACKOFF_MS = 1_000
MAX_BACKOFF_MS = 3_600_000
MAX_RETRIES = 40


def is_permanent(error: BaseException) -> bool:
    """Whether ``error`` would happen again however often its job is tried."""
    return isinstance(error, PERMANENT)


def retries() -> Retries:
    """How the broker tries the chatbot's jobs again."""
    return Retries(
        is_permanent=is_permanent,
        max_retries=MAX_RETRIES,
        min_backoff=MIN_BACKOFF_MS,
        max_backoff=MAX_BACKOFF_MS,
    )
