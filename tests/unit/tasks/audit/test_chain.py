"""The chain of audit rows: what a hash covers, and what a broken chain shows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tasks.audit.chain import GENESIS, HASHED, Head, chained, flaw, hash_of, text_of
from tasks.audit.entries import entry_of
from tasks.events.models import parse_any_event
from tests.helpers.samples import KINDS, NOON, a_todo, an_event

Row = dict[str, Any]


def a_chain(length: int = 5) -> list[Row]:
    rows: list[Row] = []
    head = Head()
    for number in range(length):
        rows.append(chained(entry_of(an_event(KINDS[number % 4])), head, NOON))
        head = Head(rows[-1]["sequence"], rows[-1]["hash"])
    return rows


def flaws(rows: list[Row]) -> list[str]:
    found = []
    head = Head()
    for row in rows:
        found += [wrong] if (wrong := flaw(row, head)) else []
        head = Head(row["sequence"], row["hash"])
    return found


def test_the_hash_is_that_of_the_documented_text() -> None:
    row = {
        "sequence": 2,
        "previous_hash": GENESIS,
        "event_id": "e-1",
        "type": "todo.moved",
        "time": NOON.astimezone(timezone(timedelta(hours=2))),
        "recorded_at": NOON + timedelta(microseconds=7),
        "actor": None,
        "todo_id": "tö",
        "before": None,
        "after": {"b": 1.5, "a": [True, "x"]},
        "details": {},
    }
    text = (
        '{"actor":null,"after":{"a":[true,"x"],"b":1.5},"before":null,"details":{},"event_id":"e-1",'
        f'"previous_hash":"{GENESIS}","recorded_at":"2026-06-01T12:00:00.000007Z","sequence":2,'
        '"time":"2026-06-01T12:00:00.000000Z","todo_id":"t\\u00f6","type":"todo.moved"}'
    )
    assert hash_of(row) == hashlib.sha256(text.encode()).hexdigest()


def test_both_times_of_the_hour_that_is_repeated_have_their_text() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    (row,) = a_chain(1)
    texts = [text_of(row | {"time": first.replace(fold=fold)}) for fold in (0, 1)]
    assert ['"time":"2026-10-25T00:30:' in texts[0], '"time":"2026-10-25T01:30:' in texts[1]] == [True, True]


def test_a_whole_chain_has_no_flaw() -> None:
    rows = a_chain()
    assert flaws(rows) == []
    assert rows[0]["previous_hash"] == GENESIS
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("column", [name for name in HASHED if name not in {"sequence", "previous_hash"}])
def test_any_change_of_a_row_shows(column: str) -> None:
    rows = a_chain()
    value = rows[2][column]
    rows[2][column] = value + timedelta(microseconds=1) if column in {"time", "recorded_at"} else "other"
    assert flaws(rows) == ["row 3 was changed: what it says does not give its hash"]


def remove_one(rows: list[Row]) -> None:
    del rows[2]


def remove_the_first_two(rows: list[Row]) -> None:
    del rows[:2]


def rewrite_one_with_its_hash(rows: list[Row]) -> None:
    rows[2]["actor"] = "nobody"
    rows[2]["hash"] = hash_of(rows[2])


def close_the_gap(rows: list[Row]) -> None:
    del rows[2]
    for number, row in enumerate(rows, 1):
        row["sequence"] = number


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (remove_one, ["row 3 is missing"]),
        (remove_the_first_two, ["rows 1 to 2 are missing"]),
        (
            rewrite_one_with_its_hash,
            ["row 4 does not continue row 3: something else was there when it was written"],
        ),
        (
            close_the_gap,
            [f"row {number} was changed: what it says does not give its hash" for number in (3, 4)],
        ),
    ],
)
def test_tampering_shows_where_it_happened(tamper: Callable[[list[Row]], None], found: list[str]) -> None:
    rows = a_chain()
    tamper(rows)
    assert flaws(rows) == found


def test_a_head_is_read_as_it_is_written() -> None:
    head = Head(17, "ab" * 32)
    assert Head.parse(f" {head}\n") == head
    for wrong in ("", "17", "17:abc", f"x:{GENESIS}", f"-1:{GENESIS}", f"1:{'g' * 64}"):
        with pytest.raises(ValueError, match="is not a sequence and a hash"):
            Head.parse(wrong)


def test_an_entry_says_what_the_event_says_and_where_it_belongs() -> None:
    todo = a_todo().model_dump(mode="json") | {"priority": 3}
    updated = an_event(
        "todo.updated", todo=todo, changes={"priority": {"before": 1, "after": 3, "why": "boss"}}, via="app"
    )
    entry = entry_of(updated)
    assert (entry.before, entry.after) == ({"priority": 1}, {"priority": 3})
    assert entry.details == {"todo": todo, "via": "app", "changes": {"priority": {"why": "boss"}}}
    created, deleted = (entry_of(an_event(kind, todo=todo)) for kind in ("todo.created", "todo.deleted"))
    assert (created.before, created.after, created.details) == (None, todo, {})
    assert (deleted.before, deleted.after, deleted.details) == (todo, None, {})


def test_an_entry_does_not_change_when_a_later_version_knows_more_fields() -> None:
    said = {"id": "t", "title": "T", "owner": {"name": "Ana", "email": "ana@example.com"}}
    assert entry_of(an_event(todo=said)).after == said


def test_an_event_of_an_unknown_type_is_recorded_whole() -> None:
    data = {"type": "todo.shared", "event_id": str(an_event().event_id), "time": "2026-06-01T12:00:00Z"}
    event = parse_any_event(data | {"subject": "todo-9", "data": {"with": ["tom"]}, "extra": 1.0})
    entry = entry_of(event)
    assert (entry.type, entry.actor, entry.todo_id) == ("todo.shared", None, "todo-9")
    assert (entry.before, entry.after) == (None, None)
    assert entry.details == {"subject": "todo-9", "data": {"with": ["tom"]}, "extra": 1.0}
