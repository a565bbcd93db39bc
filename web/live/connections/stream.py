"""The stream: the same events as Server-Sent Events, where a WebSocket does not get through.

The token comes in the header Authorization, so a page reads it with `fetch`, not with `EventSource`.
"""

from __future__ import annotations

import time

from fastapi import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from ...access import Access
from ..bridge import Bridge
from ..send_buffer import Waiting
from ..session import Ending, Session
from .admission import Admission, Refusal
from .websocket import Receive, Scope, Send
from .writer import Writer

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
#: How long a client waits before it comes back, unless `bye` says another time.
_RETRY_MS = 2_000


class LiveStream:
    """An ASGI endpoint; `Last-Event-ID` is the cursor. Frames are those of the WebSocket."""

    def __init__(self, *, bridge: Bridge, access: Access, admission: Admission) -> None:
        self._bridge = bridge
        self._access = access
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            identity = await self._access.asking(request)
        except HTTPException as exc:
            answer = _problem(exc.status_code, str(exc.detail), dict(exc.headers or {}))
            await answer(scope, receive, send)
            return
        refusal = self._refusal(scope, identity.user)
        if refusal is not None:
            retry = {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}
            await _problem(refusal.status, refusal.why, retry)(scope, receive, send)
            return
        cursor = request.headers.get("last-event-id") or None
        expires_at = identity.ends_at(time.monotonic())
        with self._admission.counted(scope):
            await self._serve(identity.user, expires_at, cursor, receive, send)

    def _refusal(self, scope: Scope, user: str) -> Refusal | None:
        if not self._bridge.is_ready:
            return Refusal(503, "the log is not known yet, or the server stops", 2)
        if self._bridge.hub.connections_of(user) >= self._bridge.limits.per_user:
            return Refusal(429, "this user has too many connections", 60)
        return self._admission.refusal(scope)

    async def _serve(
        self, user: str, expires_at: float, cursor: str | None, receive: Receive, send: Send
    ) -> None:
        async def send_frame(frame: Waiting) -> None:
            head = "" if frame.cursor is None else f"id: {frame.cursor}\n"
            await _send_body(send, f"{head}data: {frame.text}\n\n")

        async def finish(ending: Ending) -> None:
            await _send_body(send, f"data: {ending.bye}\n\n", more=False)

        limit_s = self._bridge.limits.last_frame_s
        writer = Writer(send_frame, finish, last_frame_s=limit_s, turns=self._bridge.turns)
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await _send_body(send, f"retry: {_RETRY_MS}\n\n")
        session = Session(user, now=time.monotonic(), expires_at=expires_at, wake=writer.wake, answers=False)
        writer.session = session
        self._bridge.join(session, cursor)
        async with writer.serving(self._bridge.hub):
            while (await receive())["type"] != "http.disconnect":
                pass


async def _send_body(send: Send, text: str, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": more})


def _problem(status: int, title: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse(
        {"status": status, "title": title}, status, headers, media_type="application/problem+json"
    )
