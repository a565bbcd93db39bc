"""Describes `todo.v1` for whoever writes a client, as AsyncAPI document with JSON Schemas. Pure.

`python -m web.live.asyncapi` prints it. docs/live.json is its copy; the types of web/client are made of that.
"""

from __future__ import annotations

import sys
from typing import Any

from tasks.events import schemas
from tasks.events.models import EVENT_TYPES
from tasks.updates.asyncapi import DEEDS

from ..visibility import TODO_FIELDS
from . import protocol
from .protocol import Resync

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NONE: Schema = {"type": ["string", "null"]}
_NUMBER: Schema = {"type": "integer", "minimum": 0}
_TIME: Schema = {"type": "string", "format": "date-time"}
_CURSOR: Schema = {"type": "string", "description": "How far the log was read; opaque."}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document of the WebSocket, as a client sees it."""
    sent, received = _client_frames(), _server_frames()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Live events of todos",
            "version": "1.0.0",
            "description": f"The protocol {protocol.SUBPROTOCOL}. How a client behaves: docs/live.md.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "live": {
                "address": "/live",
                "description": f"A WebSocket with the subprotocol {protocol.SUBPROTOCOL}; frames are texts.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in (*sent, *received)},
                "bindings": {"ws": {"bindingVersion": "0.1.0"}},
            }
        },
        "operations": {
            "say": _operation("send", "What a client says; hello is its first frame.", sent),
            "hear": _operation("receive", "What the server says.", received),
        },
        "components": {
            "messages": {
                name: {"name": name, "payload": {"$ref": f"#/components/schemas/{name}"}}
                for name in (*sent, *received)
            },
            "schemas": sent | received | event_schemas(),
        },
    }


def event_schemas() -> dict[str, Schema]:
    """The events as users see them, by type."""
    todos = {kind: _event(kind, *_todo_data(kind)) for kind in EVENT_TYPES}
    return todos | {
        deed.value: _event(deed.value, means, _object(data)) for deed, (means, data) in DEEDS.items()
    }


def main() -> None:
    """Print the document."""
    sys.stdout.write(schemas.as_text(asyncapi()))


def _client_frames() -> dict[str, Schema]:
    hello = {"token": _TEXT, "cursor": {**_CURSOR, "type": ["string", "null"]}, "client": _TEXT_OR_NONE}
    return {
        "hello": _frame("hello", "Who it is, and what it has seen.", hello, ["token"]),
        "token": _frame("token", "A new token, of the same user.", {"token": _TEXT}),
        "pong": _frame("pong", "The answer to a ping.", {}),
    }


def _server_frames() -> dict[str, Schema]:
    shown = [{"$ref": f"#/components/schemas/{kind}"} for kind in (*EVENT_TYPES, *DEEDS)]
    return {
        "welcome": _frame(
            "welcome",
            "The answer to hello.",
            {
                "session": _TEXT,
                "cursor": {**_CURSOR, "type": ["string", "null"]},
                "epoch": _TEXT,
                "resumed": {"type": "boolean"},
                "ping_s": {"type": "number", "description": "Something comes at least this often."},
                "stale_since": {**_TIME, "type": ["string", "null"]},
            },
        ),
        "event": _frame(
            "event",
            "One event or several, in order. Without `c` it is a part of what was missed.",
            {"c": _CURSOR, "e": {"type": "array", "minItems": 1, "items": {"anyOf": shown}}},
            ["e"],
        ),
        "resync": _frame(
            "resync",
            "Events were missed: load anew, then go on from the cursor.",
            {"why": {"enum": [why.value for why in Resync]}, "cursor": _CURSOR, "epoch": _TEXT},
        ),
        "ping": _frame(
            "ping",
            "Shows that the connection lives. Without `stale_since` the last value holds.",
            {"c": _CURSOR, "stale_since": {**_TIME, "type": ["string", "null"]}},
            [],
        ),
        "refresh": _frame("refresh", "The token ends soon: send a new one.", {"within_s": _NUMBER}),
        "bye": _frame(
            "bye",
            "The last frame before the connection is closed with that code.",
            {"code": _NUMBER, "again_after_ms": {"type": ["integer", "null"]}, "why": _TEXT},
        ),
    }


def _operation(action: str, summary: str, frames: dict[str, Schema]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/live"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/live/messages/{name}"} for name in frames],
    }


def _frame(kind: str, means: str, fields: dict[str, Schema], required: list[str] | None = None) -> Schema:
    needed = list(fields) if required is None else required
    frame = _object({"type": {"const": kind}, **fields}, ["type", *needed])
    return {"description": means, **frame}


def _event(kind: str, means: str, data: Schema) -> Schema:
    place = {"p": _NUMBER, "o": {**_NUMBER, "description": "Its place in the log: it grows within a `p`."}}
    subject = {**_TEXT_OR_NONE, "description": "The todo's id, if it is known."}
    about = {"type": {"const": kind}, "id": _TEXT, "time": _TIME, "subject": subject, "data": data}
    return {"description": means, **_object(place | about)}


def _todo_data(kind: str) -> tuple[str, Schema]:
    """Return the meaning of an event, and the schema of its data as the view of its type leaves them."""
    published = schemas.data_schema(kind)
    todo = published["$defs"]["Todo"]
    name = published["$defs"]["Owner"]["properties"]["name"]
    fields = {field: _bare(todo["properties"][field]) for field in TODO_FIELDS}
    seen = _object(fields | {"owner": _object({"name": _bare(name)})}, todo["required"])
    data = {
        "actor": _bare(published["properties"]["actor"]),
        "todo": {"description": "As it is after the event.", **seen},
    }
    if "changes" in published["properties"]:
        change = _object({"before": {}, "after": {}})
        data["changes"] = {
            "type": "object",
            "properties": dict.fromkeys(TODO_FIELDS, change),
            "additionalProperties": False,
        }
    return published["description"], _object(data)


def _bare(schema: Schema) -> Schema:
    """A field's schema without what is said for people."""
    return {name: value for name, value in schema.items() if name not in {"title", "description"}}


def _object(fields: dict[str, Schema], required: list[str] | None = None) -> Schema:
    return {
        "type": "object",
        "required": list(fields) if required is None else required,
        "properties": fields,
        "additionalProperties": False,
    }


if __name__ == "__main__":
    main()
