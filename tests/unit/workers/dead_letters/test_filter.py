"""Which dead letters an operator means."""

from __future__ import annotations

from typing import Any

import pytest

from workers.dead_letters.filter import Filter, parse_place
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
def test_a_letter_that_meets_the_conditions_matches(fits: dict[str, Any]) -> None:
    assert Filter(**fits).matches(LETTER)


@pytest.mark.parametrize(
    "differs",
    [
        {"ids": ("3a-1",)},
        {"queue": "other"},
        {"actor": "send"},
        {"reason": Reason.CRASHED},
        {"exception": "Refused"},
        {"exception": ""},
        {"text": "bob"},
        {"since_ms": NOW_MS + 1},
        {"until_ms": NOW_MS - 1},
        {"queue": "mail", "actor": "other"},
    ],
)
def test_a_letter_that_misses_a_condition_does_not_match(differs: dict[str, Any]) -> None:
    assert not Filter(**differs).matches(LETTER)


@pytest.mark.parametrize("ids", [("",), ("m-1", ""), (" ",)])
def test_an_empty_id_is_refused_as_every_id_begins_with_it(ids: tuple[str, ...]) -> None:
    with pytest.raises(WrongUsage, match="an id is empty"):
        Filter(ids=ids)


def test_what_a_filter_asks_for_is_told_in_texts() -> None:
    wanted = Filter(ids=("a", "b"), queue="mail", exception="", since_ms=0, where=(parse_place("args.0=x"),))
    assert wanted.facts() == {
        "queue": "mail",
        "exception": "none",
        "id": "a, b",
        "where": "args.0=x",
        "since": "1970-01-01T00:00:00+00:00",
    }
    assert Filter(ids=tuple(map(str, range(1_000)))).facts()["ids"] == "1000"
