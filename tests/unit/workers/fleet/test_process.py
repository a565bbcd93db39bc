"""The fleet is made of what processes report; those that were killed are known by the age of that."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.helpers.records import Consumed
from workers.fleet.process import STALE_S, Fleet, JobAtWork, Process, decode, encode, farewell
from workers.records.envelope import Record

NOW_MS = 1_700_000_000_000
PROCESS = Process(
    "0a1b",
    "host:7",
    "3.0",
    NOW_MS - 9,
    ["mail"],
    8,
    applied=3,
    jobs=[JobAtWork("id", "work", "mail", "todo.jobs.mail/0/5", NOW_MS - 4)],
    running=1,
    in_hand=2,
    switched={"3f9a": 7},
    reported_ms=NOW_MS,
)


def consumed(record: Record, at_ms: int = NOW_MS) -> Consumed:
    return Consumed("todo.fleet", timestamp=at_ms, key=record.key, value=record.value)


def test_a_report_is_read_as_it_was_written() -> None:
    assert decode(consumed(encode(PROCESS))) == PROCESS


def test_a_report_of_a_newer_version_counts_too() -> None:
    found = json.loads(encode(PROCESS).value or b"") | {"colour": "red"}
    assert decode(consumed(Record(b"0a1b", json.dumps(found).encode(), []))) == PROCESS


def test_those_that_report_live_and_those_that_say_so_or_fall_silent_do_not() -> None:
    fleet = Fleet()
    others = [replace(PROCESS, name=name, worker=f"host:{name}") for name in ("1", "2", "3")]
    fleet.take_in([consumed(encode(PROCESS)), *(consumed(encode(one)) for one in others)])
    later = NOW_MS + int(STALE_S * 1000)
    fleet.take_in([consumed(farewell("1")), consumed(encode(others[1]), later)])
    assert [one.name for one in fleet.living(later)] == ["2", "3", "0a1b"]
    assert [one.name for one in fleet.living(later + 1)] == ["2"]
    assert [one.name for one in fleet.silent(later + 1)] == ["3", "0a1b"]


#: Reports with a time that no page could show the age of.
ABSURD = [
    (encode(PROCESS).value or b"").replace(str(NOW_MS - ago).encode(), number)
    for ago in (9, 4)
    for number in (b"Infinity", b"1e999", b"9" * 400, b'"' + b"9" * 400 + b'"', b"-5")
]


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[]", b"7", b'{"jobs": 5}', b'{"started_ms": "x"}', b"[" * 100_000, *ABSURD]
)
def test_what_is_no_report_is_left_out(value: bytes) -> None:
    fleet = Fleet()
    fleet.take_in([consumed(Record(b"x", value, [])), consumed(Record(None, value, []))])
    fleet.take_in([Consumed(unreadable="no codec")])
    assert fleet.living(NOW_MS) == fleet.silent(NOW_MS) == []


def test_a_change_counts_as_applied_from_its_own_record_on() -> None:
    assert [PROCESS.has_applied(offset) for offset in (2, 3)] == [True, False]
    assert not replace(PROCESS, applied=None).has_applied(0)
