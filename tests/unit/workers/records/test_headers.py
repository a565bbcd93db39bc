"""Since when a job may start, by its record."""

from __future__ import annotations

import pytest

from tests.helpers.records import Consumed
from workers.kafka.patches.fetching.record_batches import FetchedRecord
from workers.records.consumed import ConsumedRecord
from workers.records.headers import due_ms, is_unrecorded


def fetched(*headers: tuple[bytes, bytes]) -> FetchedRecord:
    """A record with these headers, as Kafka writes it: lengths are zigzag numbers."""
    raw = bytes([2 * len(headers)])
    for name, value in headers:
        raw += bytes([2 * len(name)]) + name + bytes([2 * len(value)]) + value
    return FetchedRecord("t", 0, 0, 1_700_000_000_000, b"key", b"value", raw)


@pytest.mark.parametrize(
    ("record", "due"),
    [
        (Consumed(), 1_700_000_000_000),
        (Consumed(headers=[("eta", b"1234")]), 1234),
        (Consumed(headers=[("eta", b"soon")]), 1_700_000_000_000),
        (Consumed(headers=[("eta", b"9" * 310)]), 1_700_000_000_000),
        (Consumed(headers=[("eta", b"9" * 5_000)]), 1_700_000_000_000),
        (fetched((b"eta", b"1234")), 1234),
        (fetched((b"actor", b"metadata")), 1_700_000_000_000),
        (fetched((b"actor", b"work")), 1_700_000_000_000),
    ],
)
def test_a_job_is_due_when_its_header_says_or_its_record_was_written(
    record: ConsumedRecord, due: int
) -> None:
    assert due_ms(record) == due


def test_headers_are_not_read_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(FetchedRecord, "headers")
    assert due_ms(fetched((b"actor", b"work"))) == 1_700_000_000_000


def traceparent(flags: str) -> tuple[bytes, bytes]:
    return b"traceparent", f"00-{'a' * 32}-{'b' * 16}-{flags}".encode()


@pytest.mark.parametrize(
    ("headers", "unrecorded"),
    [
        ([], False),
        ([traceparent("00")], True),
        ([(b"actor", b"work"), traceparent("02")], True),
        ([traceparent("01")], False),
        # A Kafka instrumentation that does not record its own span appends that.
        ([traceparent("01"), (b"tracestate", b"vendor=1"), traceparent("00")], False),
        ([traceparent("00"), traceparent("01")], True),
        ([(b"traceparent", b"garbage"), traceparent("00")], False),
    ],
)
def test_the_first_context_says_whether_its_sender_is_recorded(
    headers: list[tuple[bytes, bytes]], *, unrecorded: bool
) -> None:
    assert is_unrecorded(fetched(*headers)) is unrecorded
