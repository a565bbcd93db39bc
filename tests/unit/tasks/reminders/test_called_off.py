"""Which reminders an event calls off, by what it says itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.reminders.plans import called_off, reminder_id
from tests.helpers.samples import a_todo, an_event

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DUE = datetime(2026, 6, 1, 15, tzinfo=UTC)


def offsets(kind: str, *, changes: dict[str, Any] | None = None, **todo: Any) -> list[str]:
    fields = {"id": "t", "due": DUE, "reminders": ["-1h", "-1d"]} | todo
    more = {"changes": changes} if changes else {}
    found = called_off(an_event(kind, todo=a_todo(**fields), **more), NOW)
    names = {reminder_id("t", name): name for name in ("-1h", "-1d", "-30m")}
    return [names[one] for one in found]


@pytest.mark.parametrize("kind", ["todo.completed", "todo.deleted"])
def test_closing_a_todo_calls_off_those_still_to_come(kind: str) -> None:
    assert offsets(kind) == ["-1h"]
    assert offsets(kind, recurrence="FREQ=DAILY") == ["-1h", "-1d"]
    assert offsets(kind, reminders=[]) == []


def test_making_a_todo_calls_off_nothing() -> None:
    assert offsets("todo.created") == []


@pytest.mark.parametrize(
    ("changes", "todo", "expected"),
    [
        ({"title": {"before": "a", "after": "b"}}, {}, []),
        ({"reminders": {"before": ["-1h", "-30m"], "after": ["-1h"]}}, {"reminders": ["-1h"]}, ["-30m"]),
        ({"reminders": {"before": None, "after": ["-1h"]}}, {"reminders": ["-1h"]}, []),
        ({"due": {"before": "2026-06-01T15:00:00Z", "after": None}}, {"due": None}, ["-1h"]),
        ({"due": {"before": None, "after": "2026-06-01T15:00:00Z"}}, {}, []),
    ],
)
def test_a_change_calls_off_what_the_todo_has_no_more(
    changes: dict[str, Any], todo: dict[str, Any], expected: list[str]
) -> None:
    assert offsets("todo.updated", changes=changes, **todo) == expected
