"""Describes an audit row in words for people. Pure. Text from users is put in one line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ..text import one_line

#: The longest value that is shown, in characters.
MAX_LENGTH = 200

_VERBS = {
    "todo.created": "created it",
    "todo.updated": "changed it",
    "todo.completed": "completed it",
    "todo.deleted": "deleted it",
}

#: Details that get no line: they are shown elsewhere, or concern only the transport.
_HIDDEN = frozenset({"todo", "cloudevent", "subject", "log_position"})


def story(row: Mapping[str, Any], zone: ZoneInfo) -> Iterator[str]:
    """Yield the lines that say what happened: who did what and when, then each field, before and after."""
    who = one_line(row["actor"] or "somebody", MAX_LENGTH)
    what = _VERBS.get(row["type"]) or f"did {one_line(row['type'], MAX_LENGTH)}"
    yield f"{when(row['time'], zone)}  {who} {what}"
    if row["type"] == "todo.updated":
        for name, value in (row["after"] or {}).items():
            before = shown(name, (row["before"] or {}).get(name), zone)
            yield f"    {_name(name)}: {before} → {shown(name, value, zone)}"
    elif row["type"] == "todo.created":
        for name, value in (row["after"] or {}).items():
            if name != "id" and value not in (None, "", []):
                yield f"    {_name(name)}: {shown(name, value, zone)}"
    for name, value in row["details"].items():
        if name not in _HIDDEN and value is not None:
            yield f"    {_name(name)}: {shown(name, value, zone)}"


def summary(row: Mapping[str, Any]) -> str:
    """Summarize in a few words what an event was about: the fields that changed, or the title."""
    if row["type"] == "todo.updated":
        return one_line(", ".join(row["after"] or {}), MAX_LENGTH)
    todo = row["after"] or row["before"]
    return one_line(str(todo.get("title", "")), 60) if isinstance(todo, dict) else ""


def when(time: datetime, zone: ZoneInfo) -> str:
    """Format a time in ``zone``, with the zone: 2026-06-01 14:00:00 CEST."""
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def shown(name: str, value: Any, zone: ZoneInfo) -> str:
    """Format the value of a todo's field; times in ``zone``."""
    if value is None or value == "":
        return "nothing"
    if name == "due" and isinstance(value, str):
        try:
            return when(datetime.fromisoformat(value), zone)
        except ValueError:
            pass
    if name == "owner" and isinstance(value, dict) and {"name", "email"} <= value.keys():
        return one_line(f"{value['name']} <{value['email']}>", MAX_LENGTH)
    text = f'"{value}"' if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return one_line(text, MAX_LENGTH)


def _name(name: str) -> str:
    return one_line(name, MAX_LENGTH).replace("_", " ")
