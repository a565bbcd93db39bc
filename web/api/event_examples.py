"""The examples of `POST /events` in OpenAPI, made from the models. Pure."""

from __future__ import annotations

import json
from typing import Any

from tasks.events.cloud_events import record_of
from tasks.events.schemas import sample

from .cloud_events_http import BATCH, STRUCTURED


def _structured(event_type: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(record_of(sample(event_type)).value or b"")
    return event


_EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "type": {"type": "string", "minLength": 1},
        "subject": {"type": "string"},
        "time": {"type": "string", "format": "date-time"},
        "data": {},
    },
}

#: The bodies that the route takes; the data of each type are described in docs/events.
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        STRUCTURED: {"schema": _EVENT, "example": _structured("todo.created")},
        BATCH: {
            "schema": {"type": "array", "items": _EVENT},
            "example": [_structured("todo.created"), _structured("todo.completed")],
        },
        "application/json": {
            "schema": {"description": "The data alone, with the attributes in headers: ce-id and so on."},
            "example": _structured("todo.created")["data"],
        },
    },
}
