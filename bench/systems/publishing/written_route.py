"""A bare ASGI application that writes each body to the event log: what Kafka and HTTP cost without a check.

It uses the producer of `todo-workers web`, and neither FastAPI nor our routes.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from tasks.app import broker
from tasks.events.cloud_events import CONTENT_TYPE
from tasks.publishing import write_events
from workers.errors import WorkersError
from workers.records.envelope import Record

broker.prepare()
#: Keys are spread over the partitions, as those of todos are.
_KEYS = itertools.cycle([b"todo-%d" % number for number in range(1_000)])

Message = dict[str, Any]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer `POST` with 202 once Kafka has the body, or with 503, and anything else with 200."""
    assert scope["type"] == "http", "uvicorn runs with --lifespan off"
    status = 200
    if scope["method"] == "POST":
        body = await _body(receive)
        (place,) = await write_events([Record(next(_KEYS), body, [("content-type", CONTENT_TYPE.encode())])])
        status = 503 if isinstance(place, WorkersError) else 202
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    parts: list[bytes] = []
    is_whole = False
    while not is_whole:
        message = await receive()
        parts.append(message.get("body", b""))
        is_whole = not message.get("more_body", False)
    return b"".join(parts)
