"""Describes the updates for other services, beside the events in their AsyncAPI document. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ..events import schemas
from ..events.cloud_events import CONTENT_TYPE
from .records import RETENTION_MS, SOURCE, Deed, Update, record_of

_TEXT = {"type": "string"}
_ID = {"type": "string", "format": "uuid"}
_TIME = {"type": "string", "format": "date-time"}
_MAIL = {"notice_id": _ID, "kind": {**_TEXT, "description": "The notice's kind, such as todo_created."}}
_OUTCOME = {"enum": ["sent", "late", "skipped"]}

#: What each deed means, and the fields of its data besides ``owner``.
DEEDS: dict[Deed, tuple[str, dict[str, Any]]] = {
    Deed.EVENT_RECORDED: ("The event is in the audit trail.", {"event_id": _ID, "event_type": _TEXT}),
    Deed.MAIL_SENT: ("The mail server has taken the mail.", _MAIL),
    Deed.MAIL_POSTPONED: ("The mail waits for the end of quiet hours.", {**_MAIL, "until": _TIME}),
    Deed.MAIL_OPTED_OUT: ("The recipient does not want such mails.", _MAIL),
    Deed.MAIL_GIVEN_UP: ("The mail will not be tried again; its job is a dead letter.", _MAIL),
    Deed.REMINDER_SET: ("A reminder will fire at that time.", {"reminder_id": _ID, "at": _TIME}),
    Deed.REMINDER_FIRED: (
        "A reminder has fired; its mail is the notice with that id.",
        {
            "reminder_id": _ID,
            "notice_id": _ID,
            "occurrence": _TIME,
            "outcome": _OUTCOME,
        },
    ),
    Deed.REMINDER_CANCELLED: ("A reminder will not fire any more.", {"reminder_id": _ID}),
}


def files(retention_ms: int) -> dict[str, str]:
    """The text of each published file by its path; ``retention_ms`` is that of the event log."""
    return schemas.files(retention_ms) | {"asyncapi.json": schemas.as_text(asyncapi(retention_ms))}


def asyncapi(retention_ms: int) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of the event log and of the updates."""
    document = schemas.asyncapi(retention_ms)
    names = {_name(deed): deed for deed in Deed}
    document["channels"]["updates"] = {
        "address": "{namespace}.updates",
        "title": "Updates",
        "description": (
            "What the workers did, a CloudEvents 1.0 event for each deed: in structured mode, or several in "
            "a record as a JSON batch (application/cloudevents-batch+json). Those for one owner are in one "
            "partition, in order. It is news: one may be missing if a worker died, or come twice with the "
            "same id. Written unless WEB_UPDATES is off; anybody may read along."
        ),
        "parameters": document["channels"]["events"]["parameters"],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": RETENTION_MS},
                "bindingVersion": "0.5.0",
            }
        },
    }
    document["operations"]["announceUpdate"] = {
        "action": "send",
        "channel": {"$ref": "#/channels/updates"},
        "summary": "Say what was done, for whoever wants to know at once.",
        "messages": [{"$ref": f"#/channels/updates/messages/{name}"} for name in names],
    }
    document["components"]["messages"] |= {name: _message(deed) for name, deed in names.items()}
    return document


def sample(deed: Deed) -> Update:
    """An update for examples, always the same."""
    at = datetime(2026, 6, 1, 12, 0, 1, tzinfo=UTC)
    values = {"event_type": "todo.created", "kind": "todo_created", "outcome": "sent"}
    data = {
        name: values.get(name) or (at.isoformat() if schema is _TIME else str(UUID(int=1, version=4)))
        for name, schema in DEEDS[deed][1].items()
    }
    return Update(deed, "ana@example.com", "sample", at, "todo-1", data)


def _message(deed: Deed) -> dict[str, Any]:
    summary, fields = DEEDS[deed]
    return {
        "name": deed.value,
        "title": deed.value,
        "summary": summary,
        "contentType": CONTENT_TYPE,
        "payload": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "time", "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "id": _ID,
                "source": {"const": SOURCE},
                "type": {"const": deed.value},
                "subject": {**_TEXT, "description": "The todo's id, if it is known."},
                "time": _TIME,
                "datacontenttype": {"const": "application/json"},
                "data": {
                    "type": "object",
                    "required": ["owner", *fields],
                    "properties": {"owner": {**_TEXT, "format": "email"}, **fields},
                    "additionalProperties": True,
                },
            },
            "additionalProperties": True,
        },
        "bindings": {
            "kafka": {
                "key": {
                    "type": "string",
                    "description": "The owner's address in lower case; in a batch, the first owner's.",
                },
                "bindingVersion": "0.5.0",
            }
        },
        "examples": [{"name": deed.value, "payload": json.loads(record_of([sample(deed)]).value or b"")}],
    }


def _name(deed: Deed) -> str:
    first, *rest = deed.value.replace("_", ".").split(".")
    return first + "".join(word.capitalize() for word in rest)
