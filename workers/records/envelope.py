"""Writes a dramatiq message as a Kafka record, and reads it back. Pure: no I/O.

The value is what dramatiq's own encoder writes. What only the transport needs is in the headers,
never in ``message.options``: a message received equals the message sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import dramatiq
from dramatiq import DecodeError

from ..errors import InvalidMessage, MessageTooLarge, Undecodable
from ..topics import MAX_JOB_BYTES
from . import fast_json as message_json
from .headers import SCHEMA, Headers

#: Bytes that a record costs beyond its key, value and headers, at most.
_OVERHEAD_BYTES = 200


class Record(NamedTuple):
    """A record to be produced: its key, value and headers; a value of None is a tombstone.

    Our records have a key; a record of others that goes back as it came may have none. ``anywhere``: no other
    record has its key, so any partition will do.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers
    anywhere: bool = False


def encode(message: dramatiq.Message[Any], eta_ms: int | None = None) -> Record:
    """Make the record of ``message``; its key is the option ``key``, else the message id.

    ``eta_ms`` is when a delayed one is due.

    Raises what dramatiq's encoder raises, for arguments it cannot write.
    """
    key = message.options.get("key")
    headers = [
        ("schema", SCHEMA),
        ("message-id", message.message_id.encode()),
        ("actor", message.actor_name.encode()),
        ("queue", message.queue_name.encode()),
    ]
    if eta_ms is not None:
        headers.append(("eta", str(eta_ms).encode()))
    return Record(str(key or message.message_id).encode(), message_json.write(message), headers, not key)


def with_headers(record: Record, headers: Mapping[str, str]) -> Record:
    """The record with these headers too."""
    added = [(name, value.encode()) for name, value in headers.items()]
    return record._replace(headers=[*record.headers, *added]) if added else record


def decode(value: bytes | None, queue: str | None) -> dramatiq.Message[Any]:
    """Read the message of a record that was consumed from ``queue``.

    The message's queue is forced to ``queue``: dramatiq's worker threads look their consumer up by it,
    and die on one they do not know. With None it stays the one that the message names.

    Raises:
        Undecodable: the value is not a dramatiq message; the text says what is wrong with it.
    """
    if value is None:
        raise Undecodable("the record has no value", b"")
    read = message_json.read(value)
    if read is not None and queue in {None, read.queue_name}:
        return read
    try:
        message: dramatiq.Message[Any] = dramatiq.Message.decode(value)
    except DecodeError as exc:
        raise Undecodable(f"the record is not a dramatiq message: {_cause(exc)}", value) from exc
    return checked(message, queue, value)


def require_sound(message: dramatiq.Message[Any]) -> None:
    """Raise InvalidMessage if :func:`decode` would refuse the message, or its headers cannot be written."""
    if _is_plain(message):
        return
    wrong = _wrong_field(message) or _unwritable_field(message)
    if wrong:
        raise InvalidMessage(f"the message cannot be sent: {wrong}")


def checked(message: dramatiq.Message[Any], queue: str | None, value: bytes) -> dramatiq.Message[Any]:
    """The message as one of ``queue``. Raises Undecodable if a worker could not run it."""
    wrong = _wrong_field(message)
    if wrong:
        raise Undecodable(f"the record is not a dramatiq message: {wrong}", value)
    return message if queue in {None, message.queue_name} else message.copy(queue_name=queue)


def size_of(record: Record) -> int:
    """The bytes that a record takes in its topic, at most."""
    size = _OVERHEAD_BYTES + len(record.key or b"") + len(record.value or b"")
    for name, content in record.headers:
        size += len(name) + len(content)
    return size


def require_size(record: Record, what: str, limit: int = MAX_JOB_BYTES) -> None:
    """Raise MessageTooLarge for a record of more than ``limit`` bytes; ``what`` names it."""
    size = size_of(record)
    if size > limit:
        raise MessageTooLarge(
            f"{what} is {size} bytes, at most {limit} are allowed; "
            "send a reference to the data instead of the data"
        )


_FIELD_TYPES: tuple[tuple[str, type | tuple[type, ...]], ...] = (
    ("queue_name", str),
    ("actor_name", str),
    ("kwargs", dict),
    ("options", dict),
    ("message_id", str),
    ("message_timestamp", (int, float)),
)


def _wrong_field(message: dramatiq.Message[Any]) -> str | None:
    for name, expected in _FIELD_TYPES:
        found = getattr(message, name)
        if not isinstance(found, expected):
            return f"{name} is of type {type(found).__name__}"
    if not message.message_id:
        return "message_id is empty"
    # dramatiq's worker uses these two unchecked: with an eta it would keep the job in its memory, and
    # its thread would die over a throws that is no exception.
    if message.options.get("eta") is not None:
        return "options has eta"
    if not _is_sound_throws(message.options.get("throws")):
        return "options has throws, and not as a class of exceptions or a tuple of such"
    return None


def _is_plain(message: dramatiq.Message[Any]) -> bool:
    """Whether a quick check shows that the message is sound: it does for most, those without options."""
    if message.options != {} or not message.message_id:
        return False
    kinds = (type(message.message_id), type(message.actor_name), type(message.queue_name))
    return (
        kinds == (str, str, str)
        and type(message.kwargs) is dict
        and type(message.message_timestamp) is int
        and message.message_id.isascii()
        and message.actor_name.isascii()
    )


def _is_sound_throws(throws: Any) -> bool:
    kinds = throws if isinstance(throws, tuple) else (throws,)
    return not throws or all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds)


def _unwritable_field(message: dramatiq.Message[Any]) -> str | None:
    texts = {"message_id": message.message_id, "actor_name": message.actor_name}
    texts["the option key"] = str(message.options.get("key"))
    for name, text in texts.items():
        if not text.isascii() and _is_unwritable(text):
            return f"{name} is no text that UTF-8 can write"
    return None


def _is_unwritable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _cause(exc: DecodeError) -> str:
    """The text of the encoder's error, which dramatiq wraps, twice for its own encoder."""
    inner: BaseException = exc
    while isinstance(inner, DecodeError) and isinstance(inner.error, BaseException):
        inner = inner.error
    return f"{type(inner).__name__}: {inner}"
