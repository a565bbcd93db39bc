"""Reads the records of one batch of Kafka's log, format 2. Pure: no I/O.

kafka-python's own reader takes several times as long, most of it for what jobs that succeed never need.
"""

from __future__ import annotations

from collections.abc import Iterator


class CorruptBatch(ValueError):
    """Bytes that are not records."""


class FetchedRecord:
    """A record as a consumer gets it; its headers are read when they are asked for."""

    __slots__ = ("_headers", "key", "offset", "partition", "timestamp", "topic", "value")

    def __init__(  # noqa: PLR0917 - one for each record, and by position is quicker
        self,
        topic: str,
        partition: int,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: bytes,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self._headers = headers

    @property
    def headers(self) -> list[tuple[str, bytes | None]]:
        """Anew each time. A name that is not UTF-8 has replacement characters. Raises CorruptBatch."""
        raw = self._headers
        found = []
        try:
            count, at = _varint(raw, 0)
            for _ in range(count):
                length, at = _varint(raw, at)
                name, at = raw[at : at + length].decode(errors="replace"), at + length
                value, at = _nullable(raw, at)
                found.append((name, value))
        except IndexError as exc:
            raise CorruptBatch(f"the headers end after {len(raw)} bytes") from exc
        return found


def records(
    topic: str,
    partition: int,
    raw: bytes,
    *,
    count: int,
    base_offset: int,
    base_ms: int,
    append_ms: int | None,
) -> Iterator[FetchedRecord]:
    """The ``count`` records of a batch that are, uncompressed, ``raw``.

    ``append_ms`` is the time of all of them where the log stamps what it appends. Raises CorruptBatch.
    """
    at = 0
    for _ in range(count):
        try:
            length, at = _varint(raw, at)
            end = at + length
            delta_ms, at = _varint(raw, at + 1)  # behind the attributes, which say nothing yet
            delta, at = _varint(raw, at)
            key, at = _nullable(raw, at)
            value, at = _nullable(raw, at)
        except IndexError as exc:
            raise CorruptBatch(f"a record is cut short after {len(raw)} bytes") from exc
        if not at < end <= len(raw):
            raise CorruptBatch(f"a record ends at byte {end}, its value at {at}, of {len(raw)}")
        timestamp = base_ms + delta_ms if append_ms is None else append_ms
        yield FetchedRecord(topic, partition, base_offset + delta, timestamp, key, value, raw[at:end])
        at = end
    if at != len(raw):
        raise CorruptBatch(f"{len(raw) - at} bytes lie behind the last record")


def _nullable(buffer: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _varint(buffer, at)
    return (None, at) if length < 0 else (buffer[at : at + length], at + length)


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint and where it ends."""
    byte = buffer[at]
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at + 1
    result, shift = byte & 0x7F, 7
    while byte & 0x80:
        at += 1
        byte = buffer[at]
        result |= (byte & 0x7F) << shift
        shift += 7
    return (result >> 1) ^ -(result & 1), at + 1
