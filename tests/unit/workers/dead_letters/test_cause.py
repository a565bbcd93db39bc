"""Why a job was given up, as its dead letter says it."""

from __future__ import annotations

import dramatiq
import pytest
from dramatiq.middleware import SkipMessage

from workers.dead_letters.cause import MAX_TRACEBACK_BYTES, error_fields, reason_of
from workers.dead_letters.letter import Reason
from workers.errors import InvalidArguments


class Hostile(Exception):
    """Named for what its ``__str__`` does."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


Hostile.__qualname__ = "H" * 1_000_000


def test_an_exception_without_text_or_with_a_name_of_a_megabyte_is_told_all_the_same() -> None:
    fields = error_fields(Hostile(), with_traceback=True)
    assert fields["exception_message"] == "<its text could not be read: RuntimeError>"
    assert len(fields["exception_type"]) < 300


def test_the_end_of_a_long_traceback_is_kept() -> None:
    def fail(depth: int) -> None:
        if depth:
            fail_differently(depth - 1)
        raise RuntimeError("the cause")

    def fail_differently(depth: int) -> None:
        fail(depth)

    with pytest.raises(RuntimeError) as raised:
        fail(100)
    fields = error_fields(raised.value, with_traceback=True)
    assert fields["exception_type"] == "builtins.RuntimeError"
    assert len(fields["traceback"]) <= MAX_TRACEBACK_BYTES + 3
    assert fields["traceback"].endswith("RuntimeError: the cause\n")


@pytest.mark.parametrize(
    ("exception", "reason"),
    [
        (ValueError("x"), Reason.FAILED),
        (None, Reason.REJECTED),
        (dramatiq.ActorNotFound("greet"), Reason.UNKNOWN_ACTOR),  # type: ignore[no-untyped-call]
        (InvalidArguments(), Reason.INVALID_ARGUMENTS),
        (SkipMessage("age limit exceeded"), Reason.EXPIRED),
    ],
)
def test_the_reason_is_read_from_what_dramatiq_left(exception: BaseException | None, reason: Reason) -> None:
    assert reason_of(exception) is reason
