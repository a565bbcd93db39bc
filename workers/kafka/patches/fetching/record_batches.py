"""Reads the records of one batch of Kafka's log, format 2. Pure: no I/O.

kafka-python's own reader takes several times as long, most of it for data that jobs rarely need.
"""

from __future__ import annotations

from collections.abc import Iterator

#: Bits that the only byte of a length below 64 does not have. Most names and values of headers are so short,
#: and a call for each would take longer than all the rest.
_NOT_SHORT = 0x81


class CorruptBatch(ValueError):
    """Bytes that are not records."""


class FetchedRecord:
    """A record as a consumer gets it; its headers are read when they are asked for."""

    __slots__ = ("key", "offset", "partition", "raw_headers", "timestamp", "topic", "value")

    #: Why it cannot be read: see :class:`UnreadableRecords`.
    unreadable: str | None = None

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
        self.raw_headers = headers

    @property
    def first_offset(self) -> int:
        return self.offset

    @property
    def headers(self) -> list[tuple[str, bytes | None]]:
        """The headers, read anew each time; if they are damaged, those before the damage.

        A name that is not UTF-8 has replacement characters.
        """
        raw = self.raw_headers
        found: list[tuple[str, bytes | None]] = []
        try:
            count, at = varint(raw, 0)
            for _ in range(count):
                size = raw[at]
                if size & _NOT_SHORT:
                    length, at = varint(raw, at)
                else:
                    length, at = size >> 1, at + 1
                name, at = raw[at : at + length].decode("utf-8", "replace"), at + length
                size = raw[at]
                if size & _NOT_SHORT:
                    value, at = _nullable(raw, at)
                else:
                    begin, at = at + 1, at + 1 + (size >> 1)
                    value = raw[begin:at]
                if not 0 <= length <= at <= len(raw):
                    break
                found.append((name, value))
        except IndexError:
            pass
        return found


class UnreadableRecords(FetchedRecord):
    """Stands for all records from ``first_offset`` to ``offset``, which cannot be read.

    ``unreadable`` says why. ``value`` is the whole batch that holds them, as it is in the log.
    """

    __slots__ = ("_first_offset", "unreadable")

    def __init__(self, topic: str, partition: int, offsets: range, batch: bytes, why: str) -> None:
        super().__init__(topic, partition, offsets[-1], -1, None, batch, b"\0")
        self._first_offset = offsets[0]
        self.unreadable = why

    @property
    def first_offset(self) -> int:
        return self._first_offset


def records(
    topic: str,
    partition: int,
    raw: bytes,
    *,
    count: int,
    base_offset: int,
    last_delta: int,
    base_ms: int,
    append_ms: int | None,
) -> Iterator[FetchedRecord | None]:
    """The ``count`` records of a batch whose uncompressed bytes are ``raw``; None for a damaged record.

    Their offsets rise, from ``base_offset`` to ``last_delta`` above it at most. ``append_ms`` is the time of
    all of them if the log stamps what it appends. Raises CorruptBatch if it cannot go on.
    """
    at = 0
    before = -1
    for _ in range(count):
        start = at
        try:
            length, at = varint(raw, at)
            end = at + length
            delta_ms, at = varint(raw, at + 1)  # behind the attributes, which say nothing yet
            delta, at = varint(raw, at)
            key, at = _nullable(raw, at)
            value, at = _nullable(raw, at)
        except IndexError:
            end = at = len(raw)
        if not at < end <= len(raw) or not before < delta <= last_delta:
            at = _behind(raw, start)
            before += 1
            yield None
            continue
        before = delta
        timestamp = base_ms + delta_ms if append_ms is None else append_ms
        yield FetchedRecord(topic, partition, base_offset + delta, timestamp, key, value, raw[at:end])
        at = end
    if at != len(raw):
        raise CorruptBatch(f"{len(raw) - at} bytes lie behind the last record")


def _behind(raw: bytes, at: int) -> int:
    """Where a damaged record ends, by its length."""
    try:
        length, at = varint(raw, at)
    except IndexError as exc:
        raise CorruptBatch(f"a record is cut short after {len(raw)} bytes") from exc
    if not at < at + length <= len(raw):
        raise CorruptBatch(f"a record ends at byte {at + length} of {len(raw)}")
    return at + length


def _nullable(buffer: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = varint(buffer, at)
    return (None, at) if length < 0 else (buffer[at : at + length], at + length)


def varint(buffer: bytes, at: int) -> tuple[int, int]:
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
