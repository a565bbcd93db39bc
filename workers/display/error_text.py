"""What an error says, cut to a length, as text that UTF-8 can write. Pure."""

from __future__ import annotations

import traceback


def kind_of(error: BaseException) -> str:
    """The error's type with its module."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def message_of(error: BaseException, max_bytes: int) -> str:
    """The beginning of what an error says, whatever its type does when it is asked."""
    try:
        data = encoded(str(error))
    except Exception as exc:  # noqa: BLE001 - a job's own exception may be broken in any way
        return f"<its text could not be read: {type(exc).__name__}>"
    return data.decode() if len(data) <= max_bytes else data[:max_bytes].decode(errors="ignore") + "..."


def traceback_of(error: BaseException, max_bytes: int) -> str:
    """The end of an error's traceback, which says more than its beginning."""
    data = encoded("".join(traceback.format_exception(error)))
    return data.decode() if len(data) <= max_bytes else "..." + data[-max_bytes:].decode(errors="ignore")


def encoded(text: str) -> bytes:
    """The text in UTF-8; half a surrogate pair, which UTF-8 cannot write, is written out."""
    return text.encode(errors="backslashreplace")
