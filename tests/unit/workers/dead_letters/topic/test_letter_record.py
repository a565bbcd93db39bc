"""Dead letters as records and back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.records import Consumed
from workers.dead_letters.cause import error_fields
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.topic.letter_record import decode, encode
from workers.records.headers import ID_HEADER, ORIGIN_HEADER, REPLAYED_HEADER, job_headers_of
from workers.topics import DEAD_LETTER_ROOM_BYTES

ORIGIN = Origin("todo.jobs.default", 3, 42, 1_700_000_000_000)


def letter(**changes: object) -> DeadLetter:
    fields: dict[str, object] = {
        "reason": Reason.FAILED,
        "origin": ORIGIN,
        "value": b"bytes",
        "time_ms": 1_700_000_000_001,
        "group": "todo.workers.default",
        "job_key": b"user:42",
        "job_headers": (("schema", b"1"), ("traceparent", b"00-ab")),
        "message_id": "m-1",
        "actor": "greet",
        "queue": "default",
        "attempts": 3,
    }
    return DeadLetter(**fields | changes)  # type: ignore[arg-type]


def test_a_letter_survives_its_record() -> None:
    written = letter(exception_type="builtins.ValueError", exception_message="no", traceback="Traceback ...")
    record = encode(written)
    assert record.key == b"m-1"
    assert record.value == b"bytes"
    assert decode(record.value, record.headers) == written


@given(st.binary(), st.text(max_size=40) | st.none(), st.text(max_size=40) | st.none())
def test_any_bytes_and_names_survive(value: bytes, message_id: str | None, error: str | None) -> None:
    written = letter(value=value, message_id=message_id, exception_message=error)
    record = encode(written)
    assert record.value is not None
    assert decode(record.value, record.headers) == written


def test_a_record_without_a_value_does_not_become_a_tombstone() -> None:
    record = encode(letter(value=None))
    assert record.value == b""
    assert decode(record.value, record.headers).value is None


@pytest.mark.parametrize("message_id", [None, "", "x" * 300])
def test_without_a_sound_message_id_the_key_is_where_the_record_came_from(message_id: str | None) -> None:
    assert encode(letter(message_id=message_id)).key == b"todo.jobs.default/3/42"


@pytest.mark.parametrize("text", ["\ud800", "\U0001f600", "\x00\x1b", "x"])
def test_a_letter_always_fits_its_topic(text: str) -> None:
    error = ValueError(text * 1_000_000)
    fields = error_fields(error, with_traceback=True)
    own_header = (ID_HEADER, b"i" * 1_000)
    job_headers = [(f"h{number}", b"") for number in range(5_000)] + [own_header]
    kept = job_headers_of(Consumed(headers=job_headers))
    huge = letter(
        value=b"",
        message_id=text * 1_000_000,
        actor=text * 1_000_000,
        queue=text * 1_000_000,
        job_headers=kept,
        **fields,
    )
    record = encode(huge)
    of_the_job = sum(len(name) + len(value) + 2 for name, value in kept)
    # Kafka writes the two lengths of a header in front of it.
    size = len(record.key or b"") + sum(len(name) + len(value) + 6 for name, value in record.headers)
    assert size - of_the_job < DEAD_LETTER_ROOM_BYTES
    read = decode(record.value or b"", record.headers)
    assert read.exception_message == fields["exception_message"]
    assert read.traceback == fields["traceback"]


def test_an_id_in_a_header_is_believed_only_if_it_is_short() -> None:
    mangled = letter(message_id=None, job_headers=((ID_HEADER, b"i" * 1_000_000),))
    assert mangled.id == str(ORIGIN)


def test_without_a_message_id_the_id_is_the_place_that_a_job_was_passed_on_from() -> None:
    passed_on = ((ORIGIN_HEADER, b"todo.jobs.default/1/7"),)
    assert letter(message_id=None, job_headers=passed_on).id == "todo.jobs.default/1/7"
    replayed = (*passed_on, (ID_HEADER, b"job-7"))
    assert letter(message_id=None, job_headers=replayed).id == "job-7"


def test_a_record_of_somebody_else_is_not_taken_for_a_letter() -> None:
    with pytest.raises(KeyError):
        decode(b"", [("schema", b"1")])
    with pytest.raises(KeyError):
        decode(b"", [("reason", None)])


@pytest.mark.parametrize("name", ["partition", "offset", "timestamp", "time", "attempts"])
@pytest.mark.parametrize("text", [b"9" * 400, b"9" * 5_000, b"1e9", b"\xd9\xa1", b"-" + b"9" * 400])
def test_a_number_that_no_index_can_hold_makes_it_no_letter(name: str, text: bytes) -> None:
    record = encode(letter())
    headers = [(each, text if each == name else value) for each, value in record.headers]
    with pytest.raises(ValueError, match=r"no whole number|no time"):
        decode(record.value or b"", headers)


def test_the_time_of_a_record_may_be_before_1970() -> None:
    old = letter(origin=replace(ORIGIN, timestamp_ms=-1))
    record = encode(old)
    assert decode(record.value or b"", record.headers).origin.timestamp_ms == -1


def test_times_of_replays_that_are_none_are_left_out() -> None:
    mangled = letter(job_headers=((REPLAYED_HEADER, b"5," + b"9" * 5_000 + b",x,7"),))
    assert mangled.replayed_at_ms == (5, 7)
