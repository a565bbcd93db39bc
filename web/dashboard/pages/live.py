"""Tells a page that something has changed, by Server-Sent Events. The page then asks for itself again."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from ..desk import Desk

#: How often a change is looked for; how often it is said that nothing has changed; how long a stream lasts:
#: a server that stops waits for its streams.
_LOOK_S, _SAY_S, _LAST_S = 0.2, 2.0, 300.0


def routes(desk: Desk, is_closed: Callable[[], bool]) -> Sequence[BaseRoute]:
    async def live(request: Request) -> Response:
        if desk.viewer(request) is None:
            return Response(status_code=401)
        return StreamingResponse(_changes(desk, request, is_closed), media_type="text/event-stream")

    return [Route("/live", live, methods=["GET"])]


async def _changes(desk: Desk, request: Request, is_closed: Callable[[], bool]) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    ends_at = time.monotonic() + _LAST_S
    said, said_at = "", -_SAY_S
    while time.monotonic() < ends_at and not is_closed():
        version, now = desk.version, time.monotonic()
        if version != said or now - said_at >= _SAY_S:
            if desk.viewer(request) is None:
                return
            desk.want()
            said, said_at = version, now
            yield f"data: {json.dumps(_state(desk, version))}\n\n"
        await asyncio.sleep(_LOOK_S)


def _state(desk: Desk, version: str) -> dict[str, object]:
    """What the script is told: ``at`` is when was read what there is, ``now`` when this version was there."""
    latest = desk.snapshots.latest
    return {"version": version, "at": latest and latest.at, "now": time.time()}
