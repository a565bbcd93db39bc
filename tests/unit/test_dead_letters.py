"""Dead letters as records and back."""

from __future__ import annotations

import dramatiq
import pytest
from dramatiq.middleware import SkipMessage
from hypothesis import given
from hypothesis import strategies as st

from workers import dead_letters
from workers.dead_letters import DeadLetter, Origin, Reason
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
    record = dead_letters.encode(written)
    assert record.key == b"m-1"
    assert record.value == b"bytes"
    assert dead_letters.decode(record.value, record.headers) == written


@given(st.binary(), st.text(max_size=40) | st.none(), st.text(max_size=40) | st.none())
def test_any_bytes_and_names_survive(value: bytes, message_id: str | None, error: str | None) -> None:
    written = letter(value=value, message_id=message_id, exception_message=error)
    record = dead_letters.encode(written)
    assert record.value is not None
    assert dead_letters.decode(record.value, record.headers) == written


def test_a_record_without_a_value_does_not_become_a_tombstone() -> None:
    record = dead_letters.encode(letter(value=None))
    assert record.value == b""
    assert dead_letters.decode(record.value, record.headers).value is None


@pytest.mark.parametrize("message_id", [None, "", "x" * 300])
def test_without_a_sound_message_id_the_key_is_where_the_record_came_from(message_id: str | None) -> None:
    assert dead_letters.encode(letter(message_id=message_id)).key == b"todo.jobs.default/3/42"


def test_a_letter_always_fits_its_topic() -> None:
    error = ValueError("\ud800" * 1_000_000)
    fields = dead_letters.error_fields(error, with_traceback=True)
    huge = letter(value=b"", message_id="m" * 1_000_000, actor="a" * 1_000_000, queue="q" * 250, **fields)
    record = dead_letters.encode(huge)
    size = len(record.key) + sum(len(name) + len(value) for name, value in record.headers)
    assert size < DEAD_LETTER_ROOM_BYTES


def test_the_end_of_a_long_traceback_is_kept() -> None:
    def fail(depth: int) -> None:
        if depth:
            fail_differently(depth - 1)
        raise RuntimeError("the cause")

    def fail_differently(depth: int) -> None:
        fail(depth)

    with pytest.raises(RuntimeError) as raised:
        fail(100)
    fields = dead_letters.error_fields(raised.value, with_traceback=True)
    assert fields["exception_type"] == "builtins.RuntimeError"
    assert len(fields["traceback"]) <= dead_letters.MAX_TRACEBACK_CHARS + 3
    assert fields["traceback"].endswith("RuntimeError: the cause\n")


@pytest.mark.parametrize(
    ("exception", "reason"),
    [
        (ValueError("x"), Reason.FAILED),
        (None, Reason.REJECTED),
        (dramatiq.ActorNotFound("greet"), Reason.UNKNOWN_ACTOR),  # type: ignore[no-untyped-call]
        (SkipMessage("age limit exceeded"), Reason.EXPIRED),
    ],
)
def test_the_reason_is_read_from_what_dramatiq_left(exception: BaseException | None, reason: Reason) -> None:
    assert dead_letters.reason_of(exception) is reason


def test_a_record_of_somebody_else_is_not_taken_for_a_letter() -> None:
    with pytest.raises(KeyError):
        dead_letters.decode(b"", [("schema", b"1")])
