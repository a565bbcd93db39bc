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

from .envelope import Headers, Record

#: Limits of what a header keeps of an error, in characters; with them a dead letter always fits its topic.
MAX_MESSAGE_CHARS = 1_500
MAX_TRACEBACK_CHARS = 7_000
#: Longest message id, actor or queue name that is kept; a mangled record can hold one of a megabyte.
MAX_NAME_CHARS = 255
#: Headers of a replayed job, by which its next dead letter knows of the ones before.
ID_HEADER = "dead-letter-id"
REPLAYED_HEADER = "replayed-at"
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
        return self._job_header(ID_HEADER) or str(self.origin)

    @property
    def key(self) -> str:
        """Key of its record: the id, and the generation after a replay.

        So the tombstone that a replay writes can never hide that the job failed again meanwhile.
        """
        return f"{self.id}~{self.replays}" if self.replays else self.id

    @property
    def replayed_at_ms(self) -> tuple[int, ...]:
        """When the job was replayed, the first time first."""
        text = self._job_header(REPLAYED_HEADER) or ""
        return tuple(int(part) for part in text.split(",") if part.isdecimal())

    @property
    def replays(self) -> int:
        return len(self.replayed_at_ms)

    @property
    def first_origin(self) -> str:
        """Where the job came from before it was ever replayed: topic/partition/offset."""
        return self._job_header(ORIGIN_HEADER) or str(self.origin)

    def _job_header(self, name: str) -> str | None:
        return next((value.decode(errors="replace") for key, value in self.job_headers if key == name), None)


def reason_of(exception: BaseException | None) -> Reason:
    """Why dramatiq's worker gave a message up, from the exception it left on it."""
    if isinstance(exception, dramatiq.ActorNotFound):
        return Reason.UNKNOWN_ACTOR
    if isinstance(exception, SkipMessage):
        return Reason.EXPIRED  # the age limit is what skips and fails a message
    return Reason.REJECTED if exception is None else Reason.FAILED


def error_fields(exception: BaseException | None, *, with_traceback: bool) -> dict[str, Any]:
    """The fields of a DeadLetter that tell about an exception, cut to their limits."""
    if exception is None:
        return {}
    fields = {
        "exception_type": f"{type(exception).__module__}.{type(exception).__qualname__}",
        "exception_message": _cut(str(exception), MAX_MESSAGE_CHARS),
    }
    if with_traceback:
        trace = "".join(traceback.format_exception(exception))
        # The end of a traceback tells more than its beginning.
        fields["traceback"] = (
            trace if len(trace) <= MAX_TRACEBACK_CHARS else "..." + trace[-MAX_TRACEBACK_CHARS:]
        )
    return fields


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
    return Record(_encoded(letter.key), letter.value or b"", headers)


def decode(value: bytes, headers: Sequence[tuple[str, bytes]]) -> DeadLetter:
    """Read a record of the dead-letter topic. Raises KeyError or ValueError for one that we did not write."""
    own = {name: content for name, content in headers if not name.startswith(JOB_HEADER_PREFIX)}
    text = {name: content.decode(errors="replace") for name, content in own.items()}
    job_headers = tuple(
        (name.removeprefix(JOB_HEADER_PREFIX), content)
        for name, content in headers
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


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


def _name(text: str | None) -> str | None:
    return None if text is None else _cut(text, MAX_NAME_CHARS)


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")
