"""Describes the events for other services, as JSON Schema and AsyncAPI made from the models. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID

from .cloud_events import CONTENT_TYPE, OUTSIDE_DATA, SCHEMA_VERSION, dataschema, record_of
from .models import DEFAULT_SOURCE, EVENT_TYPES, Event, TodoEvent, parse_event
from .todos import Owner, Todo

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MODELS: dict[str, type[TodoEvent]] = {
    model.model_fields["type"].default: model for model in get_args(get_args(Event)[0])
}


def files(retention_ms: int) -> dict[str, str]:
    """The text of each published file by its path; ``retention_ms`` is that of the event log."""
    schemas = {f"events/{kind}.json": data_schema(kind) for kind in EVENT_TYPES}
    documents = {**schemas, "asyncapi.json": asyncapi(retention_ms)}
    return {path: as_text(document) for path, document in documents.items()}


def as_text(document: Mapping[str, Any]) -> str:
    """A document as it is published."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def data_schema(event_type: str) -> dict[str, Any]:
    """The JSON Schema of the data of an event's CloudEvent; its id is the event's ``dataschema``.

    Fields that it does not name are allowed. It cannot state every check, such as that a title is not blank
    or that a zone exists.
    """
    schema = _MODELS[event_type].model_json_schema(mode="validation")
    for name in OUTSIDE_DATA:
        del schema["properties"][name]
    for name in ("Context", "LogPosition"):
        schema["$defs"].pop(name)
    del schema["title"]
    head = {"$schema": _DIALECT, "$id": dataschema(event_type), "title": f"Data of {event_type}"}
    plain: dict[str, Any] = _without_markup({**head, **schema})
    return plain


def asyncapi(retention_ms: int) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of the event log, as the workers see it."""
    messages = {_name(kind): {"$ref": f"#/components/messages/{_name(kind)}"} for kind in EVENT_TYPES}
    channel = {
        "address": "{namespace}.events",
        "title": "Event log",
        "description": (
            "One record for each thing that happened to a todo, a CloudEvents 1.0 event in structured or "
            "binary mode. Whoever writes it keys it by the todo's id, so that the events of a todo keep "
            "their order. Events of other types are recorded in the audit trail; anybody may read along."
        ),
        "parameters": {"namespace": {"default": "todo", "description": "The setting KAFKA_NAMESPACE."}},
        "messages": messages,
        "bindings": {
            "kafka": {
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": retention_ms},
                "bindingVersion": "0.5.0",
            }
        },
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Todo events",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": "What todo-workers reads from its event log, whoever writes it.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {"events": channel},
        "operations": {
            "handleEvent": {
                "action": "receive",
                "channel": {"$ref": "#/channels/events"},
                "summary": "Record the event, notify the owner of the todo, keep its reminders in step.",
                "messages": [{"$ref": f"#/channels/events/messages/{name}"} for name in messages],
            }
        },
        "components": {"messages": {_name(kind): _message(kind) for kind in EVENT_TYPES}},
    }


def sample(event_type: str) -> Event:
    """An event for examples, always the same."""
    owner = Owner(name="Ana Petrović", email="ana@example.com", time_zone="Europe/Berlin")
    due = datetime(2026, 6, 5, 15, 0, tzinfo=UTC)
    todo = Todo(id="todo-1", title="Book flights", description="Aisle seats.", due=due, owner=owner)
    changes = {"title": {"before": "Book a flight", "after": "Book flights"}}
    return parse_event(
        {
            "type": event_type,
            "event_id": UUID(int=EVENT_TYPES.index(event_type) + 1, version=4),
            "time": datetime(2026, 6, 1, 12, 0, tzinfo=UTC),
            "actor": "user:ana",
            "todo": todo,
            **({"changes": changes} if event_type == "todo.updated" else {}),
        }
    )


def _message(kind: str) -> dict[str, Any]:
    record = record_of(sample(kind))
    summary = (_MODELS[kind].__doc__ or "").replace("``", "`")
    return {
        "name": kind,
        "title": kind,
        "summary": summary,
        "contentType": CONTENT_TYPE,
        "payload": _envelope(kind),
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The todo's id."},
                "bindingVersion": "0.5.0",
            }
        },
        "examples": [{"name": kind, "payload": json.loads(record.value or b"")}],
    }


def _envelope(kind: str) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    properties = {
        "specversion": {"const": "1.0"},
        "id": {**text, "description": "A UUID; any other id must be unique within the source."},
        "source": {**text, "format": "uri-reference", "description": f"Such as {DEFAULT_SOURCE}."},
        "type": {"const": kind},
        "subject": {**text, "description": "The todo's id."},
        "time": {"type": "string", "format": "date-time", "description": "If missing, the record's own."},
        "datacontenttype": {"const": "application/json"},
        "dataschema": {
            **text,
            "format": "uri",
            "description": f"{dataschema(kind)}, or one's own. A newer major version becomes a dead letter.",
        },
        "traceparent": {**text, "description": "Distributed tracing; handed on to the jobs of the event."},
        "data": {"$ref": f"./events/{kind}.json"},
    }
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": properties,
        "additionalProperties": True,
    }


def _name(kind: str) -> str:
    entity, _, happened = kind.partition(".")
    return entity + happened.capitalize()


def _without_markup(value: Any) -> Any:
    """Replace the mark-up of docstrings, which the descriptions come from, by plain backquotes."""
    if isinstance(value, dict):
        return {name: _without_markup(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_markup(item) for item in value]
    return value.replace("``", "`") if isinstance(value, str) else value
