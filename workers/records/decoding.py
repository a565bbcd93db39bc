"""Decodes a queue's records into messages. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import dramatiq

from ..errors import Undecodable
from . import envelope
from .consumed import ConsumedRecord
from .headers import source_named_in
from .sources import Incoming, Source


class QueueDecoder:
    """Reads the messages of one queue's records: of its own topic, and of its sources."""

    def __init__(self, queue: str, sources: Iterable[Source] = ()) -> None:
        self._queue = queue
        self._decoders = {source.topic: source.decode for source in sources}
        self.has_sources = bool(self._decoders)

    @property
    def topics(self) -> frozenset[str]:
        """The topics of the sources."""
        return frozenset(self._decoders)

    def is_of_source(self, record: ConsumedRecord) -> bool:
        """Whether others wrote the record: then its headers are theirs."""
        return self.has_sources and source_of(record, self._decoders) is not None

    def decode(self, record: ConsumedRecord) -> dramatiq.Message[Any] | None:
        """The message of a record; None if a source says that it is no job.

        Raises Undecodable.
        """
        if record.unreadable is not None:
            raise Undecodable(record.unreadable, record.value or b"")
        topic = self._decoders and source_of(record, self._decoders)
        if not topic:
            return envelope.decode(record.value, self._queue)
        decode = self._decoders.get(topic)
        if decode is None:
            raise Undecodable(f"queue {self._queue} has no source {topic} any more", record.value or b"")
        try:
            place = (record.partition, record.offset) if record.topic == topic else ()
            message = decode(Incoming(record.key, record.value, record.headers, record.timestamp, *place))
        except Undecodable:
            raise
        except Exception as exc:
            # It runs an application's code on bytes of others, and the partition must go on.
            text = f"the record of {topic} cannot be decoded: {type(exc).__name__}: {exc}"
            raise Undecodable(text, record.value or b"") from exc
        return message and envelope.checked(message, self._queue, record.value or b"")


def source_of(record: ConsumedRecord, sources: Collection[str]) -> str | None:
    """The source whose bytes the record has, even if it is in another topic; None for a job."""
    return record.topic if record.topic in sources else source_named_in(record.headers)
