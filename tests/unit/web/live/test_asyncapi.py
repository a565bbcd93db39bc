"""The document of the protocol: as the code says, and true of the frames and the events that are sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from tasks.events.models import EVENT_TYPES
from tasks.events.schemas import as_text, sample
from tasks.updates.asyncapi import sample as update_sample
from tasks.updates.records import Deed
from tests.helpers.repository import REPOSITORY
from tests.helpers.samples import an_event
from web.live import protocol
from web.live.asyncapi import asyncapi
from web.live.protocol import Close, Resync
from web.live.views import VIEWS

DOCUMENT = asyncapi()
#: The frames that a server sends.
FRAMES = {
    "welcome": [
        protocol.welcome(session="s", cursor=None, epoch="ab", resumed=True, stale_since=None),
        protocol.welcome(
            session="s", cursor="c", epoch="ab", resumed=False, stale_since="2026-06-01T12:00:00Z"
        ),
    ],
    "resync": [protocol.resync(why, cursor="c", epoch="ab") for why in Resync],
    "ping": [
        protocol.ping(None, stale_since=None),
        protocol.ping("c", stale_since="2026-06-01T12:00:00Z"),
        '{"type":"ping","c":"c"}',  # of an older version
    ],
    "refresh": [protocol.refresh(59.6)],
    "bye": [protocol.bye(Close.GOING_AWAY, 731, "the server stops"), protocol.bye(Close.TOKEN_REFUSED, None)],
}


def validate(name: str, value: object) -> None:
    """Check a value against a schema of the document. Raises ValidationError."""
    schema = {"components": DOCUMENT["components"], "$ref": f"#/components/schemas/{name}"}
    Draft202012Validator(schema).validate(value)


def seen(kind: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as a user sees it."""
    data = VIEWS[kind](event)
    return {
        "p": 3,
        "o": 7,
        "type": kind,
        "id": "1",
        "time": "2026-06-01T12:00:00Z",
        "subject": None,
        "data": data,
    }


def test_the_committed_file_is_what_the_code_says() -> None:
    committed = (REPOSITORY / "docs" / "live.json").read_text(encoding="utf-8")
    assert committed == as_text(DOCUMENT), "make schemas"


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_what_is_seen_of_a_todo_fits(kind: str) -> None:
    for event in (sample(kind), an_event(kind), an_event(kind, colour="red")):
        as_seen = seen(kind, event.model_dump(mode="json"))
        validate(kind, as_seen)
        validate("event", {"type": "event", "c": "c", "e": [as_seen]})


@pytest.mark.parametrize("deed", Deed)
def test_what_is_seen_of_an_update_fits(deed: Deed) -> None:
    update = update_sample(deed)
    as_seen = seen(deed.value, {"data": {"owner": update.owner, **update.data}})
    validate(deed.value, as_seen)
    validate("event", {"type": "event", "e": [as_seen]})


@pytest.mark.parametrize("name", FRAMES)
def test_what_a_server_says_fits(name: str) -> None:
    for text in FRAMES[name]:
        validate(name, json.loads(text))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("hello", {"token": "t"}),
        ("hello", {"token": "t", "cursor": "c", "client": "x"}),
        ("token", {"token": "t"}),
        ("pong", {}),
    ],
)
def test_what_a_client_says_fits_and_is_read(name: str, fields: dict[str, str]) -> None:
    frame = {"type": name, **fields}
    validate(name, frame)
    protocol.parse(json.dumps(frame))


def test_the_address_of_an_owner_does_not_fit() -> None:
    as_seen = seen("todo.created", sample("todo.created").model_dump(mode="json"))
    as_seen["data"]["todo"]["owner"]["email"] = "ana@example.com"
    with pytest.raises(ValidationError, match="email"):
        validate("todo.created", as_seen)


def test_it_names_only_what_is_there() -> None:
    components = DOCUMENT["components"]
    for messages in (DOCUMENT["channels"]["live"]["messages"], components["messages"]):
        assert set(messages) == {"hello", "token", "pong", "event", *FRAMES}
    assert set(components["schemas"]) == {*components["messages"], *EVENT_TYPES, *Deed}
