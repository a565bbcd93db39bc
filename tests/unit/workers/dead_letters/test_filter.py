"""Which dead letters an operator means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from workers.dead_letters.filter import Filter, parse_time
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.errors import WrongUsage

NOW_MS = 1_800_000_000_000
LETTER = DeadLetter(
    reason=Reason.FAILED,
    origin=Origin("todo.jobs.mail", 1, 7, NOW_MS - 5_000),
    value=b'{"args": ["ann@example.com"]}',
    time_ms=NOW_MS,
    group="todo.workers.mail",
    message_id="5f3a-1",
    actor="send_mail",
    queue="mail",
    exception_type="smtplib.SMTPRecipientsRefused",
    exception_message="no such user",
    traceback="Traceback: line 1",
)


@pytest.mark.parametrize(
    "fits",
    [
        {},
        {"ids": ("5f3a",)},
        {"ids": ("no", "5f3a-1")},
        {"queue": "mail", "actor": "send_mail", "reason": Reason.FAILED},
        {"exception": "SMTPRecipientsRefused"},
        {"exception": "smtplib.SMTPRecipientsRefused"},
        {"text": "ann@"},
        {"text": "no such"},
        {"text": "line 1"},
        {"since_ms": NOW_MS, "until_ms": NOW_MS},
    ],
)
def test_what_fits(fits: dict[str, Any]) -> None:
    assert Filter(**fits).matches(LETTER)


@pytest.mark.parametrize(
    "differs",
    [
        {"ids": ("3a-1",)},
        {"queue": "other"},
        {"actor": "send"},
        {"reason": Reason.CRASHED},
        {"exception": "Refused"},
        {"text": "bob"},
        {"since_ms": NOW_MS + 1},
        {"until_ms": NOW_MS - 1},
        {"queue": "mail", "actor": "other"},
    ],
)
def test_what_does_not(differs: dict[str, Any]) -> None:
    assert not Filter(**differs).matches(LETTER)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90s", NOW_MS - 90_000),
        ("15m", NOW_MS - 900_000),
        ("1.5h", NOW_MS - 5_400_000),
        ("3d", NOW_MS - 259_200_000),
        ("1w", NOW_MS - 604_800_000),
        ("2027-01-15T08:00:00", int(datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp() * 1000)),
        ("2027-01-15T08:00:00+02:00", int(datetime(2027, 1, 15, 6, tzinfo=UTC).timestamp() * 1000)),
    ],
)
def test_times(text: str, ms: int) -> None:
    assert parse_time(text, NOW_MS) == ms


@pytest.mark.parametrize("text", ["yesterday", "3x", "", "-2h", "2027-13-01", "9999999w", "9" * 400 + "d"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(WrongUsage, match="such as 90s"):
        parse_time(text, NOW_MS)
