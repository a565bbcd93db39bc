"""Decides how much of a record its dead letter keeps. Pure: no I/O."""

from __future__ import annotations

from typing import Any

import dramatiq

from ...records import envelope
from ...records.consumed import ConsumedRecord
from ...records.envelope import Record
from ...records.headers import (
    BATCH_HEADER,
    OWN_HEADERS,
    SOURCE_HEADER,
    TOO_LONG_HEADER,
    Headers,
    job_headers_of,
)
from ...topics import MAX_JOB_BYTES, RETRY_ROOM_BYTES

#: The longest record that is kept whole.
MAX_KEPT_BYTES = MAX_JOB_BYTES + RETRY_ROOM_BYTES
#: How many bytes are kept of the beginning of a longer one, for people to look at.
BEGINNING_BYTES = 16 * 1024
#: The longest header of such a record that is kept.
_MAX_HEADER_BYTES = 1024
#: Headers that say how much of the record a letter keeps.
_MARKS = frozenset({TOO_LONG_HEADER, BATCH_HEADER})


def kept_of(
    record: ConsumedRecord,
    message: dramatiq.Message[Any] | None,
    source: str | None,
    *,
    at_most: int = MAX_KEPT_BYTES,
) -> Record:
    """The key, value and headers that a dead letter keeps of a record.

    ``message`` is the record's, if it can be read; ``source`` is the topic whose bytes the record has,
    None for a job. Of what is longer than ``at_most`` bytes, a beginning is kept.

    A job of a source is kept as a job, so that it can be shown, edited and replayed like any other. Bytes
    that are no job, or that would be too long as one, stay as they are. Any record can be too long even so,
    for Kafka checks the size of the compressed batch: then only its place, its size and a beginning of its
    bytes are kept, as a partition must never stop for a dead letter that no topic takes. The same holds for
    a batch of a source's log that could not be read.
    """
    if record.unreadable is not None:
        return _batch_of(record, source, at_most)
    # A record of others may have headers of these names, which would say of its letter what is not so.
    headers = [header for header in job_headers_of(record) if header[0] not in _MARKS]
    if source is None:
        return _bounded(Record(record.key, record.value, headers), at_most)
    job = _job_of(message)
    if job is not None:
        others = [header for header in headers if header[0] not in OWN_HEADERS]
        kept = Record(job.key, job.value, [*job.headers, *others])
        if envelope.size_of(kept) <= at_most:
            return kept
    others = [header for header in headers if header[0] != SOURCE_HEADER]
    mark = (SOURCE_HEADER, source.encode())
    return _bounded(Record(record.key or b"", record.value, [mark, *others]), at_most)


def _bounded(record: Record, at_most: int) -> Record:
    """The record; if it is too long, its beginning, with its size in a header."""
    size = envelope.size_of(record)
    if size <= at_most:
        return record
    headers = _short(record.headers)
    beginning = None if record.value is None else bytes(record.value[:BEGINNING_BYTES])
    key = record.key if record.key is None or len(record.key) <= _MAX_HEADER_BYTES else b""
    return Record(key, beginning, [(TOO_LONG_HEADER, str(size).encode()), *headers])


def _short(headers: Headers) -> Headers:
    """The short headers, as long as there is room: all that we wrote ourselves are among them."""
    kept: Headers = []
    room = BEGINNING_BYTES
    for name, value in headers:
        taken = len(name) + len(value)
        if taken <= min(room, _MAX_HEADER_BYTES):
            kept.append((name, value))
            room -= taken
    return kept


def _batch_of(record: ConsumedRecord, source: str | None, at_most: int) -> Record:
    marks = [] if source is None else [(SOURCE_HEADER, source.encode())]
    marks.append((BATCH_HEADER, f"{record.first_offset}-{record.offset}".encode()))
    kept = Record(b"", record.value, marks)
    # Any batch of a topic of ours is kept whole, as it is trimmed there. Only a source's may be longer.
    return kept if len(record.value or b"") <= at_most else _bounded(kept, at_most)


def _job_of(message: dramatiq.Message[Any] | None) -> Record | None:
    try:
        return None if message is None else envelope.encode(message)
    except Exception:  # noqa: BLE001 - whatever a decoder put into it; the source's bytes are there still
        return None
