"""How much of a record its dead letter keeps. Pure: no I/O."""

from __future__ import annotations

from typing import Any

import dramatiq

from ..records import envelope
from ..records.consumed import ConsumedRecord
from ..records.envelope import Record
from ..records.headers import OWN_HEADERS, SOURCE_HEADER, TOO_LONG_HEADER, job_headers_of
from ..topics import MAX_JOB_BYTES, RETRY_ROOM_BYTES

#: The longest record that is kept.
_MAX_KEPT_BYTES = MAX_JOB_BYTES + RETRY_ROOM_BYTES


def kept_of(record: ConsumedRecord, message: dramatiq.Message[Any] | None, source: str | None) -> Record:
    """The key, value and headers that a dead letter keeps of a record.

    ``message`` is the record's, where it can be read; ``source`` is the topic whose bytes the record has,
    None for a job.

    A job of a source is kept as a job, so that it can be shown, mended and replayed like any other. Bytes
    that are no job, or that would be too long as one, stay as they are. A record of a source can be too long
    even so, for Kafka checks the size of the compressed batch: then only the place is kept, as a partition
    must never stop for a dead letter that no topic takes.
    """
    headers = job_headers_of(record)
    if source is None:
        return Record(record.key, record.value, headers)
    job = _job_of(message)
    if job is not None:
        others = [header for header in headers if header[0] not in OWN_HEADERS]
        kept = Record(job.key, job.value, [*job.headers, *others])
        if envelope.size_of(kept) <= _MAX_KEPT_BYTES:
            return kept
    mark = (SOURCE_HEADER, source.encode())
    others = [header for header in headers if header[0] not in {SOURCE_HEADER, TOO_LONG_HEADER}]
    kept = Record(record.key or b"", record.value, [mark, *others])
    size = envelope.size_of(kept)
    if size > _MAX_KEPT_BYTES:
        return Record(b"", None, [mark, (TOO_LONG_HEADER, str(size).encode())])
    return kept


def _job_of(message: dramatiq.Message[Any] | None) -> Record | None:
    try:
        return None if message is None else envelope.encode(message)
    except Exception:  # noqa: BLE001 - whatever a decoder put into it; the source's bytes are there still
        return None
