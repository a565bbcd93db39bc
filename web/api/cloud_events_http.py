"""Reads the CloudEvents of a request, in binary, structured or batch mode. Pure.

The rules are at https://github.com/cloudevents/spec, in its HTTP binding. Each event becomes what a record of
the event log would be, so that one reader reads both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from workers.records.sources import Incoming

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
#: The most events in a batch.
MAX_EVENTS = 1_000

_PREFIX = "ce-"
_ESCAPED = re.compile(r"\\(.)")
_STRUCTURED_HEADERS = [("content-type", f"{STRUCTURED}; charset=UTF-8".encode())]


class WrongContentType(ValueError):
    """The content type says that the body is no CloudEvent."""


class NotRead(ValueError):
    """The body, or a header, cannot be read."""


class TooMany(ValueError):
    """The batch has too many events."""


def is_batch(content_type: str) -> bool:
    """Whether a request with this content type holds a batch."""
    return _form(content_type) == BATCH


def events_in(headers: Mapping[str, str], body: bytes, now_ms: int) -> list[Incoming]:
    """The events of a request that came at ``now_ms``, unread. Raises WrongContentType, NotRead and TooMany.

    The names of ``headers`` are in lower case, and their values Latin-1, as Starlette has them.
    """
    content_type = headers.get("content-type", "")
    form = _form(content_type)
    if form == BATCH:
        items = _batch(body)
        return [Incoming(None, json.dumps(one).encode(), _STRUCTURED_HEADERS, now_ms) for one in items]
    if form == STRUCTURED:
        return [Incoming(None, body, _STRUCTURED_HEADERS, now_ms)]
    attributes = {name: value for name, value in headers.items() if name.startswith(_PREFIX)}
    if not attributes or form.startswith("application/cloudevents"):
        found = f"is {form[:100]}" if form else "is missing"
        raise WrongContentType(
            f"the content type {found}; send {STRUCTURED}, {BATCH}, or the attributes in headers like ce-id"
        )
    own = [(f"ce_{name.removeprefix(_PREFIX)}", _value(name, text)) for name, text in attributes.items()]
    if content_type:
        own.append(("content-type", content_type.encode("latin-1")))
    return [Incoming(None, body, own, now_ms)]


def _form(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _batch(body: bytes) -> list[Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise NotRead(f"the body is not JSON: {exc}") from exc
    if not isinstance(found, list):
        raise NotRead("the body is no JSON array, which a batch is")
    if len(found) > MAX_EVENTS:
        raise TooMany(f"the batch has {len(found)} events, at most {MAX_EVENTS} are allowed")
    return found


def _value(name: str, text: str) -> bytes:
    """The value of an attribute: percent-encoded, and in quotes where a sender wants it."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = _ESCAPED.sub(r"\1", text[1:-1])
    value = unquote_to_bytes(text.encode("latin-1"))
    try:
        value.decode()
    except UnicodeError as exc:
        raise NotRead(f"the header {name} is not percent-encoded UTF-8") from exc
    return value
