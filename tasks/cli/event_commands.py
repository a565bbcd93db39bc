"""What `todo-workers events` does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from workers.errors import Undecodable, WrongUsage
from workers.records.sources import Incoming

from ..actors.events import EVENT_LOG_RETENTION_MS
from ..events import schemas as event_schemas
from ..events.cloud_events import event_of
from ..events.models import EVENT_TYPES, Event, InvalidEvent, parse_event
from ..publishing import publish


def export(folder: Path, *, check: bool) -> int:
    """Write the schemas into ``folder``, or only say which are not as written; returns the exit status."""
    wrong = 0
    for path, text in event_schemas.files(EVENT_LOG_RETENTION_MS).items():
        file = folder / path
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            continue
        wrong += 1
        if check:
            print(f"{file} is not what the models say: todo-workers events export {folder}", file=sys.stderr)  # noqa: T201
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            print(f"written {file}")  # noqa: T201
    return int(check and wrong > 0)


def show_schema(event_type: str | None) -> None:
    """Print the schema of a type's data, or the AsyncAPI document of all."""
    if event_type is None:
        document = event_schemas.asyncapi(EVENT_LOG_RETENTION_MS)
    elif event_type in EVENT_TYPES:
        document = event_schemas.data_schema(event_type)
    else:
        raise WrongUsage(f"There is no event type {event_type!r}; those are {', '.join(EVENT_TYPES)}")
    print(event_schemas.as_text(document), end="")  # noqa: T201


def publish_text(text: bytes) -> None:
    """Publish the events of a JSON value, an array, or one a line; all are checked before the first goes."""
    events = [_event(number, value) for number, value in enumerate(_values(text), 1)]
    for event in events:
        publish(event)
        print(f"{event.event_id} {event.type} {event.todo.id}", flush=True)  # noqa: T201


def _event(number: int, value: Any) -> Event:
    try:
        if isinstance(value, dict) and "specversion" in value:
            value = event_of(Incoming(None, json.dumps(value).encode(), [], 0))
        return parse_event(value)
    except (InvalidEvent, Undecodable) as exc:
        raise WrongUsage(f"Event {number}: {exc}; nothing was published") from exc


def _values(text: bytes) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError) as exc:
            raise WrongUsage(f"It is neither JSON nor JSON Lines: {exc}; nothing was published") from exc
    return found if isinstance(found, list) else [found]
