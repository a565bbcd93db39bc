"""What is decided follows from the records of the control topic alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.records import Consumed
from workers.controls import decision
from workers.controls.decision import Note, Pause, Switch, decode, encode, ending
from workers.controls.state import State
from workers.controls.then import Then
from workers.dead_letters.filter import Filter, parse_place
from workers.records.envelope import Record

NOTE = Note("ann@host", 1_700_000_000_000, "mail server is down", 1_700_000_100_000)
PAUSE = Pause("mail", NOTE)
SWITCH = Switch(
    "3f9a",
    Filter(ids=("a",), queue="q", actor="work", text="x", where=(parse_place("args.0.id=5"),)),
    Then.HOLD,
    NOTE,
)


def consumed(record: Record, offset: int = 0) -> Consumed:
    return Consumed("todo.control", 0, offset, key=record.key, value=record.value, headers=record.headers)


def state_of(*records: Record) -> State:
    return State().after(consumed(record, offset) for offset, record in enumerate(records))


@pytest.mark.parametrize("made", [PAUSE, SWITCH, Pause("mail", Note("ann", 5, "ünknown\n"))])
def test_a_decision_is_read_as_it_was_written(made: Pause | Switch) -> None:
    record = encode(made)
    assert record.value is not None
    assert decode(record.key, record.value, record.headers) == made


def test_the_last_record_of_a_subject_counts_and_a_tombstone_ends_it() -> None:
    later = Pause("mail", Note("bob", 7))
    other = Pause("other", NOTE)
    state = state_of(encode(PAUSE), encode(SWITCH), encode(other), encode(later), ending(other.subject, NOTE))
    assert dict(state.pauses) == {"mail": later}
    assert dict(state.switches) == {"3f9a": SWITCH}
    assert state_of(encode(SWITCH), ending(SWITCH.subject, NOTE)) == State()


def test_a_decision_without_a_time_has_no_age() -> None:
    made = decode(b"queue/mail", b'{"paused": true}', [], -1)
    assert made.note.told(1_700_000_000_000) == "by somebody at a time that is not known"
    assert made.note.values()["since"] is None
    assert Note("ann", 1_700_000_000_000).told(1_700_000_060_000) == "by ann 60 s ago"


def test_a_pause_ends_by_itself() -> None:
    state = state_of(encode(PAUSE))
    assert list(state.paused(NOTE.until_ms - 1 if NOTE.until_ms else 0)) == ["mail"]
    assert state.paused(NOTE.until_ms or 0) == {}


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        (b"queue/mail", b"{", "no JSON"),
        (b"queue/mail", b"[" * 100_000, "no JSON"),
        (b"queue/mail", b"[]", "no JSON object"),
        (b"queue/mail", b'{"paused": "yes"}', "paused"),
        (b"queue/", b'{"paused": true}', "key"),
        (None, b'{"paused": true}', "key"),
        (b"other/x", b"{}", "key"),
        (b"switch/1", b'{"then": "explode", "where": {"actor": "a"}}', "then"),
        (b"switch/1", b'{"then": [], "where": {"actor": "a"}}', "then"),
        (b"switch/1", b'{"then": {}, "where": {"actor": "a"}}', "then"),
        (b"switch/1", b'{"then": null, "where": {"actor": "a"}}', "then"),
        (b"switch/1", b'{"then": "hold"}', "where"),
        (b"switch/1", b'{"then": "hold", "where": {}}', "every job"),
        (b"switch/1", b'{"then": "hold", "where": {"ids": [""]}}', "every job"),
        (b"switch/1", b'{"then": "hold", "where": {"actor": "a", "text": ""}}', "every job"),
        (b"switch/1", b'{"then": "hold", "where": {"actor": "a", "colour": "red"}}', "not known"),
        (b"switch/1", b'{"then": "hold", "where": {"actor": 5}}', "no text"),
        (b"switch/1", b'{"then": "hold", "where": {"ids": "abc"}}', "no text"),
        (b"switch/1", b'{"then": "hold", "where": {"where": ["nowhere"]}}', "place"),
    ],
)
def test_a_record_that_is_no_decision_is_named_and_left_out(
    key: bytes | None, value: bytes, why: str
) -> None:
    state = state_of(encode(PAUSE), encode(SWITCH), Record(key, value, []))
    assert (dict(state.pauses), dict(state.switches)) == ({"mail": PAUSE}, {"3f9a": SWITCH})
    (problem,) = state.problems
    assert why in str(problem)
    assert problem.offset == 2


@pytest.mark.parametrize("until", [b"soon", b"-5", b"9" * 30, "٣".encode(), b"\xff"])
def test_a_pause_with_an_end_that_is_no_time_is_left_out(until: bytes) -> None:
    state = state_of(Record(b"queue/mail", b'{"paused": true}', [("until", until)]))
    assert not state.pauses
    assert "until" in str(state.problems[0])


def test_a_sound_record_takes_the_place_of_the_problem() -> None:
    state = state_of(Record(b"queue/mail", b"{", []), encode(PAUSE))
    assert state.problems == ()
    assert list(state.pauses) == ["mail"]


def test_a_batch_that_cannot_be_read_is_named_and_left_out() -> None:
    state = State().after([Consumed(key=None, unreadable="zstd is not installed")])
    assert "zstd" in str(state.problems[0])


def test_an_error_that_nobody_foresaw_leaves_out_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> Filter:
        raise TypeError("unforeseen")

    monkeypatch.setattr(decision, "filter_from", fail)
    state = state_of(encode(SWITCH), encode(PAUSE))
    assert dict(state.pauses) == {"mail": PAUSE}
    assert "TypeError: unforeseen" in str(state.problems[0])


@given(
    st.binary(max_size=40),
    st.binary(max_size=40)
    | st.recursive(st.none() | st.text(), st.lists).map(lambda value: json.dumps(value).encode()),
)
def test_no_record_of_others_stops_a_worker(key: bytes, value: bytes) -> None:
    State().after([Consumed(key=key, value=value, headers=[("who", None), ("when", value)])])
