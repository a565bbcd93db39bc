"""Topics beside its own that a queue reads: what others wrote there becomes jobs. Pure: no I/O.

A source is a log that others own and read too. So the pool writes nothing into it and deletes nothing from
it: a job that came from one and is retried, delayed or replayed goes by way of the queue's own topic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import dramatiq

from ..errors import Undecodable
from ..topics import MAX_JOB_BYTES, RETRY_ROOM_BYTES
from . import envelope
from .consumed import ConsumedRecord
from .envelope import Record
from .headers import OWN_HEADERS, SOURCE_HEADER, TOO_LONG_HEADER, job_headers_of, source_named_in

#: The longest record that is kept.
_MAX_KEPT_BYTES = MAX_JOB_BYTES + RETRY_ROOM_BYTES


class Incoming(NamedTuple):
    """A record of a source. ``timestamp_ms`` is when it was written, as its topic says."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp_ms: int


#: Makes the job of a record, the same one each time, as a record may be read again; None passes it over.
#: The consuming thread calls it: it must be quick, and do no I/O. What it raises is the record's dead letter.
Decode = Callable[[Incoming], dramatiq.Message[Any] | None]


@dataclass(frozen=True, slots=True)
class Source:
    """A topic that a queue reads. ``config`` is what it is created with where it does not exist."""

    topic: str
    decode: Decode
    config: Mapping[str, str] = field(default_factory=dict)


class QueueDecoder:
    """Reads the messages of one queue's records: of its own topic, and of its sources."""

    def __init__(self, queue: str, sources: Iterable[Source] = ()) -> None:
        self._queue = queue
        self._decoders = {source.topic: source.decode for source in sources}

    @property
    def topics(self) -> frozenset[str]:
        """The topics of the sources."""
        return frozenset(self._decoders)

    def decode(self, record: ConsumedRecord) -> dramatiq.Message[Any] | None:
        """The message of a record; None where a source says it is none.

        Raises Undecodable.
        """
        topic = self._decoders and self._source_of(record)
        if not topic:
            return envelope.decode(record.value, self._queue)
        decode = self._decoders.get(topic)
        if decode is None:
            raise Undecodable(f"queue {self._queue} has no source {topic} any more", record.value or b"")
        try:
            message = decode(Incoming(record.key, record.value, record.headers, record.timestamp))
        except Undecodable:
            raise
        except Exception as exc:
            # It is somebody's code on somebody's bytes, and the partition must go on.
            text = f"the record of {topic} cannot be decoded: {type(exc).__name__}: {exc}"
            raise Undecodable(text, record.value or b"") from exc
        return message and envelope.checked(message, self._queue, record.value or b"")

    def to_keep(self, record: ConsumedRecord, message: dramatiq.Message[Any] | None) -> Record:
        """What a dead letter keeps of a record. ``message`` is what it holds, where that can be read.

        A job of a source is kept as a job, so that it can be shown, mended and replayed like any other; bytes
        that are none, or that would be too long as a job, stay as they are. Others may have written a record
        that is too long even so, for what Kafka checks is the size of a compressed batch: of that only the
        place is kept, as a partition must never stop for a dead letter that no topic takes.
        """
        headers = job_headers_of(record)
        topic = self._source_of(record)
        if not topic:
            return Record(record.key, record.value, headers)
        job = _job_of(message)
        if job is not None:
            others = [header for header in headers if header[0] not in OWN_HEADERS]
            kept = Record(job.key, job.value, [*job.headers, *others])
            if envelope.size_of(kept) <= _MAX_KEPT_BYTES:
                return kept
        mark = (SOURCE_HEADER, topic.encode())
        others = [header for header in headers if header[0] not in {SOURCE_HEADER, TOO_LONG_HEADER}]
        kept = Record(record.key or b"", record.value, [mark, *others])
        size = envelope.size_of(kept)
        if size > _MAX_KEPT_BYTES:
            return Record(b"", None, [mark, (TOO_LONG_HEADER, str(size).encode())])
        return kept

    def _source_of(self, record: ConsumedRecord) -> str | None:
        """The source that the record's bytes are of; None for a job."""
        topic: str = record.topic
        return topic if topic in self._decoders else source_named_in(record.headers)


def _job_of(message: dramatiq.Message[Any] | None) -> Record | None:
    try:
        return None if message is None else envelope.encode(message)
    except Exception:  # noqa: BLE001 - whatever a decoder put into it; the source's bytes are there still
        return None
