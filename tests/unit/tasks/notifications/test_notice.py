"""The notice of an event: made without a second validation, it is what that would make of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tasks.notifications.notice import notice_of, parse_notice
from tests.helpers.samples import KINDS, a_todo, an_event, an_owner

CHANGES: dict[str, Any] = {
    "title": {"before": "Buy bread", "after": "Buy milk"},
    "due": {"before": None, "after": "2026-06-05T17:00:00+02:00"},
    "owner": {
        "before": an_owner().model_dump(mode="json"),
        "after": an_owner(name="Tom").model_dump(mode="json"),
    },
    "reminders": {"before": [], "after": ["-1h"]},
    "colour": {"before": "red", "after": {"r": 1}},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "todo",
    [
        {},
        {"due": None, "description": ""},
        {"due": datetime(2026, 6, 1, 12, 30, 5, 123_000, tzinfo=UTC), "title": "Ä \u2028 x"},
    ],
)
def test_the_notice_of_an_event_is_valid_and_has_its_values(kind: str, todo: dict[str, Any]) -> None:
    more = {"changes": CHANGES} if kind == "todo.updated" else {}
    event = an_event(kind, todo=a_todo(**todo), **more)
    notice = notice_of(event, id=uuid4())
    assert parse_notice(notice.model_dump(mode="json")) == notice
    data = event.model_dump(mode="json")
    expected = {name: data["todo"][name] for name in ("title", "description", "due")}
    expected |= {"actor": data["actor"], "time": data["time"]}
    if kind == "todo.updated":
        expected["changes"] = [
            {
                "field": name,
                "before": data["changes"][name]["before"],
                "after": data["changes"][name]["after"],
            }
            for name in CHANGES
            if name != "colour"
        ]
    assert notice.values == expected
