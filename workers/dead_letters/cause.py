"""Derives the reason and the error fields of a dead letter from the job's exception. Pure."""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq.middleware import SkipMessage

from ..display.error_text import kind_of, message_of, traceback_of
from ..errors import HeldBySwitch, InvalidArguments
from .letter import Reason, short_name

#: The most bytes of an error that a header keeps; with these limits a dead letter always fits its topic.
MAX_MESSAGE_BYTES = 4 * 1024
MAX_TRACEBACK_BYTES = 16 * 1024


def reason_of(exception: BaseException | None) -> Reason:
    """Why dramatiq's worker gave a message up, by the exception that it left on the message."""
    if isinstance(exception, dramatiq.ActorNotFound):
        return Reason.UNKNOWN_ACTOR
    if isinstance(exception, InvalidArguments):
        return Reason.INVALID_ARGUMENTS
    if isinstance(exception, HeldBySwitch):
        return Reason.HELD
    if isinstance(exception, SkipMessage):
        return Reason.EXPIRED  # the age limit is what skips and fails a message
    return Reason.REJECTED if exception is None else Reason.FAILED


def error_fields(exception: BaseException | None, *, with_traceback: bool) -> dict[str, Any]:
    """The fields of a DeadLetter that describe an exception, cut to their limits."""
    if exception is None:
        return {}
    if isinstance(exception, HeldBySwitch):
        return {"held_by": exception.switch_id, "exception_message": str(exception)}
    fields = {
        "exception_type": short_name(kind_of(exception)),
        "exception_message": message_of(exception, MAX_MESSAGE_BYTES),
    }
    if with_traceback:
        fields["traceback"] = traceback_of(exception, MAX_TRACEBACK_BYTES)
    return fields
