"""Names the headers of our records, and chooses those that a job takes along. Pure.

A job has ``schema``, ``message-id``, ``actor`` and ``queue``, and ``eta`` while it is delayed. Headers of
others, such as ``traceparent``, stay with the job through retries, dead letters and replays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..traces.names import TRACEPARENT, TRACESTATE
from .consumed import ConsumedRecord

Headers = list[tuple[str, bytes]]

#: Version of the record's layout, in the header ``schema``.
SCHEMA = b"1"
#: A record that is no job, but has key, value and headers of a source's record: the source's topic, so
#: that the record is decoded as in that topic.
SOURCE_HEADER = "source-topic"
#: A dead letter whose bytes were too long to keep: how many there were.
TOO_LONG_HEADER = "too-long"
#: A dead letter that keeps a batch of the log which could not be read: the first and the last offset in it.
BATCH_HEADER = "unread-batch"
#: A job that was replayed, passed on or is tried again: where it came from, as topic/partition/offset.
ORIGIN_HEADER = "first-origin"
#: A replayed job: the id of its dead letter, how often it was replayed, and when.
ID_HEADER = "dead-letter-id"
REPLAYS_HEADER = "replays"
REPLAYED_HEADER = "replayed-at"

#: A job that was delayed by a length of time, as ms@topic: it counts from when that topic got the record, by
#: the cluster's clock. Its ``eta`` is by the sender's, which may be wrong.
DELAY_HEADER = "delay"

#: A ``traceparent`` of the W3C, whatever its version adds.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

#: Its name as it is among the bytes of a record, behind its length.
_RAW_NAME = b"\x16traceparent"
#: Name and value of one whose span is not recorded; the same.
_UNRECORDED = re.compile(_RAW_NAME + rb"\x6e00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f][02468ace]")

#: Headers that are made anew for each record, or that are of no job; all others ride along through retries.
OWN_HEADERS = frozenset({"schema", "message-id", "actor", "queue", "eta", DELAY_HEADER, SOURCE_HEADER})
#: The most headers of a job that its dead letter keeps: the prefix of each takes room.
MAX_JOB_HEADERS = 2_000
#: A time in ms has fewer digits, for the next thirty thousand years.
MAX_TIME_CHARS = 16


def text_of(name: str, headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """The first header of that name, as text; None if there is none."""
    for key, value in headers:  # in a third of the time of `next` and a generator
        if key == name and value is not None:
            return value.decode(errors="replace")
    return None


def texts_of(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Headers by name, as text: the last one of each name; null headers are left out."""
    return {name: value.decode(errors="replace") for name, value in headers if value is not None}


def due_ms(record: ConsumedRecord) -> int:
    """Since when a job may start: its due time if it was delayed, else when its record was written.

    Of a job's own record only, as :func:`eta_ms`.
    """
    eta = eta_ms(record)
    return record.timestamp if eta is None else eta


def eta_ms(record: ConsumedRecord) -> int | None:
    """The due time of a job that was delayed; None if it was not.

    Of a job's own record only: in a source, a header of that name says whatever its writers mean by it.
    """
    # Hardly any job has the header. A fetched record keeps its headers as bytes: to read them for each job
    # would cost more than the rest of its measures.
    if b"eta" in getattr(record, "raw_headers", b"eta"):
        for name, value in record.headers:
            if name == "eta" and value is not None and value.isdigit() and len(value) < MAX_TIME_CHARS:
                return int(value)
    return None


def trace_id_of(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """The trace that a ``traceparent`` names, in hexadecimal; None without one that makes sense."""
    found = _TRACEPARENT.match(text_of(TRACEPARENT, headers) or "")
    return found[1] if found else None


def context_in(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """The headers that have the context of the span which sent a record; empty without one.

    The first of each name: an instrumentation of Kafka's client may append its own at every hop.
    """
    found: dict[str, str] = {}
    for name, value in headers:
        if name in (TRACEPARENT, TRACESTATE) and value is not None:
            found.setdefault(name, value.decode(errors="replace"))
    return found


def is_unrecorded(record: ConsumedRecord) -> bool:
    """Whether a fetched record came from a span that is not recorded; quick, and no if in doubt.

    The first ``traceparent`` decides, as in :func:`context_in`.
    """
    raw: bytes = getattr(record, "raw_headers", b"")
    at = raw.find(_RAW_NAME)
    return at >= 0 and _UNRECORDED.match(raw, at) is not None


def filled(headers: Iterable[tuple[str, bytes | None]]) -> Headers:
    """The headers that have a value. None of ours is null, and a null one cannot be written back."""
    return [(name, value) for name, value in headers if value is not None]


def source_named_in(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """The source that a record outside of it came from; None for a job."""
    return text_of(SOURCE_HEADER, headers)


def carried(record: ConsumedRecord) -> Headers:
    """The headers that a job takes along when it is tried again: all that are not made anew.

    ``record`` is the one consumed for the last attempt. The headers say where the job first came from.
    """
    kept = [(name, value) for name, value in filled(record.headers) if name not in OWN_HEADERS]
    return with_origin(kept, record)


def with_origin(headers: Headers, record: ConsumedRecord) -> Headers:
    """The headers, and where the record came from unless they say already where its job first came from."""
    if text_of(ORIGIN_HEADER, headers) is not None:
        return headers
    return [*headers, (ORIGIN_HEADER, f"{record.topic}/{record.partition}/{record.offset}".encode())]


def job_headers_of(record: ConsumedRecord) -> Headers:
    """The headers of a consumed record that its dead letter keeps."""
    return filled(record.headers)[:MAX_JOB_HEADERS]
