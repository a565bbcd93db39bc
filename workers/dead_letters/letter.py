"""Jobs that will not be retried: what their records in the dead-letter topic look like.

The value is the job's own bytes, untouched. Everything that is known about its end is in the headers.
"""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import dramatiq
from dramatiq.middleware import SkipMessage

from ..errors import InvalidArguments
from ..records.envelope import Record
from ..records.headers import OWN_HEADERS, Headers
from . import keys as dead_letter_keys

#: Limits of what a header keeps of an error, in bytes; with them a dead letter always fits its topic.
MAX_MESSAGE_BYTES = 4 * 1024
MAX_TRACEBACK_BYTES = 16 * 1024
#: Longest name that is kept, and longest message id; a mangled record can hold one of a megabyte.
MAX_NAME_CHARS = 255
#: Longest id: a message id, or a topic's name, a partition and an offset.
MAX_ID_CHARS = 300
#: Headers of a job that are kept, at most: the prefix of each takes room.
MAX_JOB_HEADERS = 2_000
#: Headers of a replayed job, by which its next dead letter knows of the ones before.
ID_HEADER = "dead-letter-id"
REPLAYS_HEADER = "replays"
REPLAYED_HEADER = "replayed-at"
#: Times of replays that are kept: the last ones.
MAX_REPLAY_TIMES = 20
#: Header of a job that was replayed or is tried again: where it first came from.
ORIGIN_HEADER = "first-origin"
#: Prefix of the job's own headers on its dead letter.
JOB_HEADER_PREFIX = "job."


class Reason(StrEnum):
    """Why a job became a dead letter."""

    FAILED = "failed"
    REJECTED = "rejected"
    UNDECODABLE = "undecodable"
    UNKNOWN_ACTOR = "unknown-actor"
    INVALID_ARGUMENTS = "invalid-arguments"
    EXPIRED = "expired"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Origin:
    """The record that the job came in; ``timestamp_ms`` is the record's own."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One job's end. ``value`` is None where the record had none."""

    reason: Reason
    origin: Origin
    value: bytes | None
    time_ms: int
    group: str
    job_key: bytes | None = None
    job_headers: Sequence[tuple[str, bytes]] = field(default_factory=tuple)
    message_id: str | None = None
    actor: str | None = None
    queue: str | None = None
    attempts: int = 1
    exception_type: str | None = None
    exception_message: str | None = None
    traceback: str | None = None
    worker: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")

    @property
    def id(self) -> str:
        """The message id; of a record that has no sound one, where it first came from."""
        if self.message_id and len(self.message_id) <= MAX_NAME_CHARS:
            return self.message_id
        return _short(self._job_header(ID_HEADER)) or str(self.origin)

    @property
    def key(self) -> bytes:
        """Key of its record, see :mod:`.dead_letter_keys`."""
        return dead_letter_keys.key_of(_encoded(self.id), self.replays)

    @property
    def replayed_at_ms(self) -> tuple[int, ...]:
        """When the job was replayed, the first time first; of many only the last."""
        text = self._job_header(REPLAYED_HEADER) or ""
        return tuple(int(part) for part in text.split(",")[-MAX_REPLAY_TIMES:] if part.isdecimal())

    @property
    def replays(self) -> int:
        """How often the job was replayed."""
        text = self._job_header(REPLAYS_HEADER) or ""
        return int(text) if text.isdecimal() and len(text) < 10 else 0

    @property
    def first_origin(self) -> str:
        """Where the job came from before it was ever tried again or replayed: topic/partition/offset."""
        return _short(self._job_header(ORIGIN_HEADER)) or str(self.origin)

    def _job_header(self, name: str) -> str | None:
        return _text_of(name, self.job_headers)


def reason_of(exception: BaseException | None) -> Reason:
    """Why dramatiq's worker gave a message up, from the exception it left on it."""
    if isinstance(exception, dramatiq.ActorNotFound):
        return Reason.UNKNOWN_ACTOR
    if isinstance(exception, InvalidArguments):
        return Reason.INVALID_ARGUMENTS
    if isinstance(exception, SkipMessage):
        return Reason.EXPIRED  # the age limit is what skips and fails a message
    return Reason.REJECTED if exception is None else Reason.FAILED


def error_fields(exception: BaseException | None, *, with_traceback: bool) -> dict[str, Any]:
    """The fields of a DeadLetter that tell about an exception, cut to their limits."""
    if exception is None:
        return {}
    kind = type(exception)
    fields = {
        "exception_type": _cut(f"{kind.__module__}.{kind.__qualname__}", MAX_NAME_CHARS),
        "exception_message": _beginning(_said(exception), MAX_MESSAGE_BYTES),
    }
    if with_traceback:
        trace = "".join(traceback.format_exception(exception))
        # The end of a traceback tells more than its beginning.
        fields["traceback"] = _ending(trace, MAX_TRACEBACK_BYTES)
    return fields


def carried(record: Any) -> Headers:
    """The headers that a job takes along when it is tried again: all that are not made anew.

    ``record`` is kafka-python's, of the attempt before. They tell where the job first came from.
    """
    kept: Headers = [(name, value) for name, value in _headers_of(record) if name not in OWN_HEADERS]
    if _text_of(ORIGIN_HEADER, kept) is None:
        kept.append((ORIGIN_HEADER, f"{record.topic}/{record.partition}/{record.offset}".encode()))
    return kept


def encode(letter: DeadLetter) -> Record:
    """Make a dead letter's record, by its :attr:`DeadLetter.key`."""
    headers: Headers = [
        ("schema", b"1"),
        ("reason", letter.reason.encode()),
        ("topic", letter.origin.topic.encode()),
        ("partition", str(letter.origin.partition).encode()),
        ("offset", str(letter.origin.offset).encode()),
        ("timestamp", str(letter.origin.timestamp_ms).encode()),
        ("time", str(letter.time_ms).encode()),
        ("group", letter.group.encode()),
        ("worker", letter.worker.encode()),
        ("attempts", str(letter.attempts).encode()),
    ]
    optional = {
        "message-id": _name(letter.message_id),
        "actor": _name(letter.actor),
        "queue": _name(letter.queue),
        "exception-type": letter.exception_type,
        "exception-message": letter.exception_message,
        "traceback": letter.traceback,
    }
    headers += [(name, _encoded(text)) for name, text in optional.items() if text is not None]
    if letter.job_key is not None:
        headers.append(("key", letter.job_key))
    if letter.value is None:
        # A null value would be a tombstone of the compacted topic.
        headers.append(("null-value", b"1"))
    headers += [(JOB_HEADER_PREFIX + name, value) for name, value in letter.job_headers]
    return Record(letter.key, letter.value or b"", headers)


def decode(value: bytes, headers: Sequence[tuple[str, bytes | None]]) -> DeadLetter:
    """Read a record of the dead-letter topic. Raises KeyError or ValueError for one that we did not write."""
    filled = [(name, content) for name, content in headers if content is not None]  # none of ours is null
    own = {name: content for name, content in filled if not name.startswith(JOB_HEADER_PREFIX)}
    text = {name: content.decode(errors="replace") for name, content in own.items()}
    job_headers = tuple(
        (name.removeprefix(JOB_HEADER_PREFIX), content)
        for name, content in filled
        if name.startswith(JOB_HEADER_PREFIX)
    )
    return DeadLetter(
        reason=Reason(text["reason"]),
        origin=Origin(text["topic"], int(text["partition"]), int(text["offset"]), int(text["timestamp"])),
        value=None if "null-value" in own else value,
        time_ms=int(text["time"]),
        group=text["group"],
        worker=text["worker"],
        attempts=int(text["attempts"]),
        job_key=own.get("key"),
        job_headers=job_headers,
        message_id=text.get("message-id"),
        actor=text.get("actor"),
        queue=text.get("queue"),
        exception_type=text.get("exception-type"),
        exception_message=text.get("exception-message"),
        traceback=text.get("traceback"),
    )


def job_headers_of(record: Any) -> Headers:
    """The headers of kafka-python's ``record`` that its dead letter keeps.

    A null header cannot be written back; none of ours is one.
    """
    return _headers_of(record)[:MAX_JOB_HEADERS]


def _headers_of(record: Any) -> Headers:
    return [(name, value) for name, value in record.headers if value is not None]


def _text_of(name: str, headers: Sequence[tuple[str, bytes]]) -> str | None:
    return next((value.decode(errors="replace") for key, value in headers if key == name), None)


def _said(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception as exc:  # noqa: BLE001 - a job's own exception may be broken in any way
        return f"<its text could not be read: {type(exc).__name__}>"


def _beginning(text: str, limit: int) -> str:
    """The first ``limit`` bytes of it, as text that UTF-8 can write."""
    data = _encoded(text)
    return data.decode() if len(data) <= limit else data[:limit].decode(errors="ignore") + "..."


def _ending(text: str, limit: int) -> str:
    data = _encoded(text)
    return data.decode() if len(data) <= limit else "..." + data[-limit:].decode(errors="ignore")


def _short(text: str | None) -> str | None:
    return text if text is not None and len(text) <= MAX_ID_CHARS else None


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


def _name(text: str | None) -> str | None:
    return None if text is None else _cut(text, MAX_NAME_CHARS)


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")
