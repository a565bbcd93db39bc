"""Audit rows in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from tasks.audit.entries import entry_of
from tasks.audit.story import MAX_LENGTH, story, summary
from tasks.events.models import parse_any_event
from tests.helpers.samples import NOON, a_todo, an_event

BERLIN = ZoneInfo("Europe/Berlin")


def told(event: Any) -> list[str]:
    return list(story(asdict(entry_of(event)), BERLIN))


def test_the_story_of_a_creation_shows_each_field_of_the_todo() -> None:
    assert told(an_event()) == [
        "2026-06-01 14:00:00 CEST  user:42 created it",
        '    title: "Buy milk"',
        '    description: "Two litres."',
        "    due: 2026-06-05 17:00:00 CEST",
        "    owner: Ana Petrović <ana@example.com>",
    ]


def test_a_change_tells_each_field_before_and_after() -> None:
    changes = {
        "title": {"before": "Buy bread", "after": "Buy milk"},
        "due": {"before": None, "after": "2026-12-05T15:00:00Z"},
        "tags": {"before": ["a"], "after": []},
    }
    event = an_event("todo.updated", changes=changes, reason="it was wrong")
    assert told(event) == [
        "2026-06-01 14:00:00 CEST  user:42 changed it",
        '    title: "Buy bread" → "Buy milk"',
        "    due: nothing → 2026-12-05 16:00:00 CET",
        '    tags: ["a"] → []',
        '    reason: "it was wrong"',
    ]
    assert summary(asdict(entry_of(event))) == "title, due, tags"


def test_the_end_of_a_todo_is_one_line() -> None:
    assert told(an_event("todo.completed")) == ["2026-06-01 14:00:00 CEST  user:42 completed it"]
    assert told(an_event("todo.deleted")) == ["2026-06-01 14:00:00 CEST  user:42 deleted it"]


def test_an_event_of_an_unknown_type_is_told_as_it_is() -> None:
    event = parse_any_event(
        {"type": "todo.shared", "time": NOON.isoformat(), "subject": "todo-1", "data": {"with": "Tom"}}
    )
    assert told(event) == [
        "2026-06-01 14:00:00 CEST  somebody did todo.shared",
        '    data: {"with": "Tom"}',
    ]
    assert summary(asdict(entry_of(event))) == ""


def test_hostile_text_stays_in_its_line() -> None:
    todo = a_todo(title="a\nb\x1b[2J\u202e" + "x" * 9_000)
    lines = told(an_event(todo=todo))
    assert all(len(line) < MAX_LENGTH + 50 for line in lines)
    assert lines[1].startswith('    title: "a b[2Jxxx')
