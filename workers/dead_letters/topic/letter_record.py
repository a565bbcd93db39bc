"""Writes a dead letter as a record of the dead-letter topic, and reads it back. Pure.

The value is the job's own bytes, untouched. Everything that is known about its end is in the headers.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...display.error_text import encoded
from ...records.envelope import Record
from ...records.headers import Headers, texts_of
from ...records.numbers import time_ms, whole
from ..letter import DeadLetter, Origin, Reason, short_name

#: Prefix of the job's own headers on its dead letter.
JOB_HEADER_PREFIX = "job."


def encode(letter: DeadLetter) -> Record:
    """Make a dead letter's record; its key is :attr:`DeadLetter.key`."""
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
        "message-id": letter.message_id and short_name(letter.message_id),
        "actor": letter.actor and short_name(letter.actor),
        "queue": letter.queue and short_name(letter.queue),
        "exception-type": letter.exception_type,
        "exception-message": letter.exception_message,
        "traceback": letter.traceback,
        "held-by": letter.held_by,
    }
    headers += [(name, encoded(text)) for name, text in optional.items() if text is not None]
    if letter.job_key is not None:
        headers.append(("key", letter.job_key))
    if letter.value is None:
        # A null value would be a tombstone of the compacted topic.
        headers.append(("null-value", b"1"))
    headers += [(JOB_HEADER_PREFIX + name, value) for name, value in letter.job_headers]
    return Record(letter.key, letter.value or b"", headers)


def decode(value: bytes, headers: Sequence[tuple[str, bytes | None]]) -> DeadLetter:
    """Read a record of the dead-letter topic. Raises KeyError or ValueError for one that we did not write."""
    own: dict[str, bytes] = {}
    job_headers: Headers = []
    for name, content in headers:
        if content is None:
            continue  # none of ours is null
        if name.startswith(JOB_HEADER_PREFIX):
            job_headers.append((name.removeprefix(JOB_HEADER_PREFIX), content))
        else:
            own[name] = content
    text = texts_of(own.items())
    stamp_ms = whole(text["timestamp"], least=-(2**63))  # its writer's, who may have any
    return DeadLetter(
        reason=Reason(text["reason"]),
        origin=Origin(text["topic"], whole(text["partition"]), whole(text["offset"]), stamp_ms),
        value=None if "null-value" in own else value,
        time_ms=time_ms(text["time"]),
        group=text["group"],
        worker=text["worker"],
        attempts=whole(text["attempts"]),
        job_key=own.get("key"),
        job_headers=tuple(job_headers),
        message_id=text.get("message-id"),
        actor=text.get("actor"),
        queue=text.get("queue"),
        exception_type=text.get("exception-type"),
        exception_message=text.get("exception-message"),
        traceback=text.get("traceback"),
        held_by=text.get("held-by"),
    )
