"""Todos and events for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tasks.events.models import Event, parse_event
from tasks.events.todos import Owner, Todo

KINDS = ("todo.created", "todo.updated", "todo.completed", "todo.deleted")

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DUE = datetime(2026, 6, 5, 15, 0, tzinfo=UTC)


def an_owner(**fields: Any) -> Owner:
    given = {"name": "Ana Petrović", "email": "ana@example.com", "time_zone": "Europe/Berlin"}
    return Owner.model_validate(given | fields)


def a_todo(**fields: Any) -> Todo:
    given = {
        "id": "todo-1",
        "title": "Buy milk",
        "description": "Two litres.",
        "due": DUE,
        "owner": an_owner(),
    }
    return Todo.model_validate(given | fields)


def an_event(kind: str = "todo.created", **fields: Any) -> Event:
    given: dict[str, Any] = {"type": kind, "time": NOON, "actor": "user:42", "todo": a_todo()}
    if kind == "todo.updated":
        given["changes"] = {"title": {"before": "Buy bread", "after": "Buy milk"}}
    return parse_event(given | fields)
