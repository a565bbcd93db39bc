"""Writes events as CloudEvents 1.0 on Kafka, and reads them: the envelope, not the content. Pure.

The actor that handles an event checks its content, so that a wrong one can be mended and replayed like any
other job. The rules are at https://github.com/cloudevents/spec, and in its Kafka binding.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from pydantic_core import PydanticSerializationError, to_json

from workers.errors import Undecodable
from workers.records.envelope import Record
from workers.records.sources import Incoming

from . import dapr
from .cloud_event_attributes import parse_time, problems_of
from .cloud_event_modes import attributes_and_data, foreign_form
from .models import EVENT_TYPES, InvalidEvent, TodoEvent

#: The content type of a record that is a whole event in JSON, by CloudEvents' Kafka binding.
CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"

#: Major version of the events' schemas. It grows only if a reader of the old version would misunderstand.
SCHEMA_VERSION = 1

_DATASCHEMA = re.compile(r"urn:todo-workers:event:([^:]+):([0-9]{1,9})")
#: The last millisecond of the year 9999.
_MAX_MS = 253_402_300_799_999
_REQUIRED = ("specversion", "id", "source", "type")
#: Attributes that repeat fields of the event, so they need not be kept.
_FIELDS = frozenset({"specversion", "type", "time", "datacontenttype"})
#: Fields of an event that are attributes of its CloudEvent, not part of its data.
OUTSIDE_DATA = ("type", "event_id", "time", "cloudevent", "log_position", "stated_time")
_OUTSIDE_DATA = set(OUTSIDE_DATA)
#: The default of the setting EVENT_MAX_AHEAD.
MAX_AHEAD = timedelta(minutes=5)
#: An id that is no UUID is unique only together with its source: a UUID in this namespace is made of both.
_IDS = UUID("6d5f1f6e-5b0a-5d5b-9a0e-0f3f7f0a6a11")


def dataschema(event_type: str) -> str:
    """The URI of the schema of an event's data, as this version writes it."""
    return f"urn:todo-workers:event:{event_type}:{SCHEMA_VERSION}"


def record_of(event: TodoEvent) -> Record:
    """The record that publishes ``event``: in structured mode, keyed by the todo.

    Raises:
        InvalidEvent: ``cloudevent`` has something that no CloudEvent can have.
    """
    context = event.cloudevent.model_dump()
    others = context.pop("data", {})
    _require_context(context, event.event_id)
    attributes = {
        "specversion": "1.0",
        "id": str(event.event_id),
        "type": event.type,
        "subject": event.todo.id,
        "time": event.time.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": dataschema(event.type),
    } | context
    if problems := problems_of(attributes, event.time):
        raise InvalidEvent(f"Not a valid todo event: cloudevent: {problems}")
    value = _with_data(attributes, _data_of(event, others))
    return Record(event.todo.id.encode(), value, [("content-type", CONTENT_TYPE.encode())])


def _data_of(event: TodoEvent, others: dict[str, Any]) -> bytes:
    """An event's data as JSON; ``others`` are values of it that are named like fields of the event itself."""
    try:
        data = to_json(event, exclude=_OUTSIDE_DATA)
    except PydanticSerializationError as exc:
        raise InvalidEvent(f"Not a valid todo event: {exc}") from exc
    return to_json(json.loads(data) | others) if others else data


def _with_data(attributes: dict[str, Any], data: bytes) -> bytes:
    """A whole CloudEvent as JSON. The data is JSON already: writing it once is half the work."""
    return to_json(attributes)[:-1] + b',"data":' + data + b"}"


def event_of(record: Incoming, *, max_ahead: timedelta | None = MAX_AHEAD) -> dict[str, Any]:
    """Read the event of a record that anybody may have written, in binary or in structured mode.

    The result is input for `models.parse_any_event` and not validated yet. A time that is more than
    ``max_ahead`` later than the record's own comes from a wrong clock: the record's counts then, and the
    other one is kept. None: any time counts.

    Raises:
        Undecodable: the record is no CloudEvent that this version understands; the text says why.
    """
    attributes, data = _unwrapped(*attributes_and_data(record))
    stated = _require_valid(attributes, record)
    kind, source = attributes["type"], attributes["source"]
    event_id = event_id_of(source, attributes["id"])
    event = {"type": kind, "event_id": str(event_id), **_times(attributes, stated, record, max_ahead)}
    context = {name: value for name, value in attributes.items() if name not in _FIELDS}
    if attributes["id"].lower() == event["event_id"]:
        del context["id"]
    if kind not in EVENT_TYPES:
        return _unknown(event, context, attributes, data)
    _require_understood(kind, context, record)
    if not isinstance(data, dict):
        form = foreign_form(record.value or b"")
        hint = f" ({form})" if form else ""
        raise _refused(record, f"its data is {_named(data)}, a JSON object is needed{hint}")
    todo = data.get("todo")
    if isinstance(todo, dict) and context.get("subject") == todo.get("id"):
        context.pop("subject", None)
    # These would be taken for the event's own fields; equal ones say nothing new.
    homonyms = {name: data[name] for name in OUTSIDE_DATA if name in data and data[name] != event.get(name)}
    if homonyms:
        context["data"] = homonyms
    fields = {name: value for name, value in data.items() if name not in OUTSIDE_DATA}
    return {**event, **fields, "cloudevent": context}


def _unwrapped(attributes: dict[str, Any], data: Any) -> tuple[dict[str, Any], Any]:
    """The attributes and data of the event that an envelope of Dapr holds; else as they are."""
    sent = dapr.wrapped_event(attributes, data)
    if sent is None:
        return attributes, data
    if "specversion" in sent:
        inner, data = attributes_and_data(Incoming(None, json.dumps(sent).encode(), [], 0))
        return {**inner, **dapr.way_of(attributes)}, data
    content = {name: value for name, value in sent.items() if name not in OUTSIDE_DATA}
    return dapr.with_content(attributes, sent), content


def _times(
    attributes: dict[str, Any], stated: datetime | None, record: Incoming, max_ahead: timedelta | None
) -> dict[str, Any]:
    """The event's time, the one that its publisher stated if that is not it, and its place in the log."""
    times: dict[str, Any] = {}
    if record.offset is not None:
        place = {"partition": record.partition, "offset": record.offset, "written_ms": record.timestamp_ms}
        times["log_position"] = place
    written = _written(record.timestamp_ms)
    if stated is None:
        times["time"] = written.isoformat()
    elif max_ahead is None or record.timestamp_ms < 0 or stated - written <= max_ahead:
        times["time"] = attributes["time"]
    else:
        times["stated_time"] = attributes["time"]
        times["time"] = written.isoformat()
    return times


def event_id_of(source: str, cloud_event_id: str) -> UUID:
    """The id of an event: its CloudEvent's id if that is a UUID, else one derived from source and id."""
    try:
        event_id = UUID(cloud_event_id)
    except ValueError:
        event_id = None
    if event_id is not None and str(event_id) == cloud_event_id.lower():
        return event_id
    return uuid5(_IDS, f"{source}\n{cloud_event_id}")


def _written(timestamp_ms: int) -> datetime:
    """When a record was written; 1970 if it has no stamp (-1), and no year that a date cannot have."""
    return datetime.fromtimestamp(min(max(timestamp_ms, 0), _MAX_MS) / 1000, UTC)


def _unknown(
    event: dict[str, Any], context: dict[str, Any], attributes: dict[str, Any], data: Any
) -> dict[str, Any]:
    if attributes.get("datacontenttype", "application/json") != "application/json":
        context["datacontenttype"] = attributes["datacontenttype"]
    actor = data.get("actor") if isinstance(data, dict) else None
    if isinstance(actor, str) and actor.isprintable() and 0 < len(actor.strip()) <= len(actor) <= 200:
        event["actor"] = actor
    return {**event, "subject": context.pop("subject", None), "data": data, "cloudevent": context}


def _require_understood(kind: str, context: dict[str, Any], record: Incoming) -> None:
    """Remove our own dataschema from the context. Raises Undecodable if it is of another type or version."""
    match = _DATASCHEMA.fullmatch(context.get("dataschema", ""))
    if match is None:
        return
    about, version = match[1], int(match[2])
    if about != kind:
        raise _refused(record, f"its type is {kind}, its dataschema is that of {about}")
    if version > SCHEMA_VERSION:
        raise _refused(
            record,
            f"its schema has the major version {version}, this worker understands up to {SCHEMA_VERSION}; "
            "update the workers, then replay it",
        )
    del context["dataschema"]


def _require_valid(attributes: dict[str, Any], record: Incoming) -> datetime | None:
    """The time that the event states. Raises Undecodable if an attribute is missing or wrong."""
    missing = [name for name in _REQUIRED if name not in attributes]
    if missing:
        raise _refused(record, f"it has no {' and no '.join(missing)}")
    time = attributes.get("time")
    try:
        stated = parse_time(time) if "time" in attributes else None
    except (ValueError, TypeError) as exc:
        raise _refused(record, f"its time {time!r} is not one like 2026-06-05T17:00:00+02:00") from exc
    if problems := problems_of(attributes, stated):
        raise _refused(record, problems)
    return stated


def _require_context(context: dict[str, Any], event_id: UUID) -> None:
    wrong = [name for name in context if name in _FIELDS or not isinstance(context[name], str | int)]
    if wrong:
        raise InvalidEvent(
            f"Not a valid todo event: cloudevent.{wrong[0]}: is no extension attribute with "
            "a text, a whole number, or true or false"
        )
    if "id" in context and event_id_of(context["source"], str(context["id"])) != event_id:
        raise InvalidEvent("Not a valid todo event: cloudevent.id: is not what event_id follows from")


def _named(value: Any) -> str:
    names = {type(None): "not there", str: "text", list: "a JSON array", bool: "true or false"}
    return names.get(type(value), "a number")


def _refused(record: Incoming, why: str) -> Undecodable:
    return Undecodable(f"the record is no event that can be handled: {why}", record.value or b"")
