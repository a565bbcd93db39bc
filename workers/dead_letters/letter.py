"""A dead letter: a job that will not be retried, with everything that is known about its end."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ..display.error_text import encoded
from ..records.headers import (
    ID_HEADER,
    MAX_TIME_CHARS,
    ORIGIN_HEADER,
    REPLAYED_HEADER,
    REPLAYS_HEADER,
    text_of,
)
from . import keys

#: Longest name that is kept, and longest message id; a mangled record can hold one of a megabyte.
MAX_NAME_CHARS = 255
#: Longest id: a message id, or a topic's name, a partition and an offset.
MAX_ID_CHARS = 300
#: How many times of replays are kept: the last ones.
MAX_REPLAY_TIMES = 20


class Reason(StrEnum):
    """Why a job became a dead letter."""

    FAILED = "failed"
    REJECTED = "rejected"
    UNDECODABLE = "undecodable"
    UNKNOWN_ACTOR = "unknown-actor"
    INVALID_ARGUMENTS = "invalid-arguments"
    EXPIRED = "expired"
    CRASHED = "crashed"
    HELD = "held"


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
    """One job's end. ``value`` is None if the record had none; ``held_by`` is the switch that holds it."""

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
    held_by: str | None = None
    worker: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")

    @property
    def id(self) -> str:
        """The message id; if the record has no sound one, the place it first came from."""
        if self.message_id and len(self.message_id) <= MAX_NAME_CHARS:
            return self.message_id
        return _short(self._job_header(ID_HEADER)) or self.first_origin

    @property
    def key(self) -> bytes:
        """Key of its record, see :mod:`.keys`."""
        return keys.key_of(encoded(self.id), self.replays)

    @property
    def replayed_at_ms(self) -> tuple[int, ...]:
        """When the job was replayed, the first time first; of many times only the last are kept."""
        text = self._job_header(REPLAYED_HEADER) or ""
        parts = text.split(",")[-MAX_REPLAY_TIMES:]
        return tuple(int(part) for part in parts if part.isdecimal() and len(part) < MAX_TIME_CHARS)

    @property
    def replays(self) -> int:
        """How often the job was replayed."""
        text = self._job_header(REPLAYS_HEADER) or ""
        return int(text) if text.isdecimal() and len(text) < 10 else 0

    @property
    def error(self) -> str:
        """The exception's name and the first line of its text; empty if there was no exception."""
        name = (self.exception_type or "").rpartition(".")[2]
        text = (self.exception_message or "").strip().partition("\n")[0]
        return f"{name}: {text}" if name and text else name or text

    @property
    def first_origin(self) -> str:
        """The place that the job came from before it first moved to another: topic/partition/offset."""
        return _short(self._job_header(ORIGIN_HEADER)) or str(self.origin)

    def _job_header(self, name: str) -> str | None:
        return text_of(name, self.job_headers)


def _short(text: str | None) -> str | None:
    return text if text is not None and len(text) <= MAX_ID_CHARS else None


def short_name(text: str) -> str:
    """A name, cut if it is too long to keep."""
    return text if len(text) <= MAX_NAME_CHARS else text[:MAX_NAME_CHARS] + "..."
