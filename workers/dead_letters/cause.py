"""Derives the reason and the error fields of a dead letter from the job's exception. Pure."""

from __future__ import annotations

import traceback
from typing import Any

import dramatiq
from dramatiq.middleware import SkipMessage

from ..errors import HeldBySwitch, InvalidArguments
from .letter import Reason, encoded, short_name

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
    kind = type(exception)
    if isinstance(exception, HeldBySwitch):
        return {"held_by": exception.switch_id, "exception_message": str(exception)}
    fields = {
        "exception_type": short_name(f"{kind.__module__}.{kind.__qualname__}"),
        "exception_message": _beginning(_said(exception), MAX_MESSAGE_BYTES),
    }
    if with_traceback:
        trace = "".join(traceback.format_exception(exception))
        # The end of a traceback says more than its beginning.
        fields["traceback"] = _ending(trace, MAX_TRACEBACK_BYTES)
    return fields


def _said(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception as exc:  # noqa: BLE001 - a job's own exception may be broken in any way
        return f"<its text could not be read: {type(exc).__name__}>"


def _beginning(text: str, limit: int) -> str:
    """The first ``limit`` bytes of a text, as text that UTF-8 can write."""
    data = encoded(text)
    return data.decode() if len(data) <= limit else data[:limit].decode(errors="ignore") + "..."


def _ending(text: str, limit: int) -> str:
    data = encoded(text)
    return data.decode() if len(data) <= limit else "..." + data[-limit:].decode(errors="ignore")
