"""The WebSocket: a raw ASGI route for the protocol `todo.v1`, beside any other application."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from ...access import Access, AccessDenied, Identity
from ...keys import KeysAway
from .. import protocol
from ..bridge import Bridge
from ..protocol import Close, Hello, NewToken, WrongFrame
from ..send_buffer import Waiting
from ..session import Ending, Pace, Session
from .admission import Admission, Refusal
from .at_once import WriteAtOnce, write_at_once_of
from .writer import Writer

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class _Gone(Exception):
    """The client has closed the connection."""


class _Refused(Exception):
    """The client is sent away before it has a session."""

    def __init__(self, code: Close, again_after_ms: int | None, why: str) -> None:
        super().__init__(why)
        self.ending = Ending(code, protocol.bye(code, again_after_ms, why))


class LiveSocket:
    """ASGI middleware that answers WebSocket connections to ``path`` and hands all others on."""

    def __init__(
        self, app: App, *, bridge: Bridge, access: Access, admission: Admission, path: str = "/live"
    ) -> None:
        self._app = app
        self._bridge = bridge
        self._access = access
        self._admission = admission
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        await receive()  # websocket.connect
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, refusal)
            return
        with self._admission.counted(scope):
            await send({"type": "websocket.accept", "subprotocol": protocol.SUBPROTOCOL})
            await self._serve(receive, send, write_at_once_of(scope))

    def _refusal(self, scope: Scope) -> Refusal | None:
        if protocol.SUBPROTOCOL not in scope.get("subprotocols", ()):
            return Refusal(400, f"ask for the subprotocol {protocol.SUBPROTOCOL}")
        if self._bridge.is_draining:
            return Refusal(503, "the server stops", 1)
        return self._admission.refusal(scope)

    async def _serve(self, receive: Receive, send: Send, write: WriteAtOnce | None) -> None:
        async def send_frame(frame: Waiting) -> None:
            await send({"type": "websocket.send", "text": frame.text})

        async def finish(ending: Ending) -> None:
            await send({"type": "websocket.send", "text": ending.bye})
            await send({"type": "websocket.close", "code": int(ending.code)})

        pace = Pace(time.monotonic())
        limit_s = self._bridge.limits.last_frame_s
        writer = Writer(send_frame, finish, last_frame_s=limit_s, turns=self._bridge.turns, write=write)
        try:
            session = await self._greet(receive, pace, writer)
        except _Refused as exc:
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await finish(exc.ending)
            return
        except (_Gone, OSError):
            return
        async with writer.serving(self._bridge.hub):
            await self._listen(receive, pace, session)

    async def _greet(self, receive: Receive, pace: Pace, writer: Writer) -> Session:
        """Wait for hello, and make the session. Raises _Refused and _Gone."""
        within_s = self._bridge.limits.hello_within_s
        hello = None
        try:
            async with asyncio.timeout(within_s):
                hello = _parsed(await receive(), pace)
                if not isinstance(hello, Hello):
                    raise _Refused(Close.WRONG_FRAME, None, "the first frame must be hello")
                identity = await self._identify(hello.token)
        except TimeoutError as exc:
            if hello is None:
                raise _Refused(Close.NO_HELLO, 0, f"no hello within {within_s:g} s") from exc
            raise _Refused(Close.NOT_READY, protocol.NOT_READY_MS, "the token cannot be checked now") from exc
        if not self._bridge.is_ready:
            raise _Refused(Close.NOT_READY, protocol.NOT_READY_MS, "the log is not known yet")
        if self._bridge.hub.connections_of(identity.user) >= self._bridge.limits.per_user:
            raise _Refused(Close.TOO_MANY_CONNECTIONS, None, "this user has too many connections")
        now = time.monotonic()
        session = Session(identity.user, now=now, expires_at=identity.ends_at(now), wake=writer.wake)
        writer.session = session
        self._bridge.join(session, hello.cursor)
        logger.debug("live.began session=%s client=%.60r", session.id, hello.client)
        return session

    async def _listen(self, receive: Receive, pace: Pace, session: Session) -> None:
        """Read the client's frames until it is gone, or the session has ended."""
        while True:
            try:
                await self._answer(_parsed(await receive(), pace), session)
            except _Refused as exc:
                session.finish(exc.ending)
            except _Gone:
                return

    async def _answer(self, frame: object, session: Session) -> None:
        """Do what a frame asks for. Raises _Refused."""
        session.heard()
        if isinstance(frame, Hello):
            raise _Refused(Close.WRONG_FRAME, None, "there was a hello already")
        if not isinstance(frame, NewToken):
            return
        identity = await self._identify(frame.token)
        if identity.user != session.user:
            raise _Refused(Close.OTHER_USER, None, "the token is of another user")
        now = time.monotonic()
        session.renew(identity.ends_at(now), now)

    async def _identify(self, token: str) -> Identity:
        try:
            return await self._access.identify(token)
        except AccessDenied as exc:
            raise _Refused(Close.TOKEN_REFUSED, None, str(exc)) from exc
        except KeysAway as exc:
            raise _Refused(Close.NOT_READY, protocol.NOT_READY_MS, "the token cannot be checked now") from exc


def _parsed(message: MutableMapping[str, Any], pace: Pace) -> object:
    """Read a frame, within the limits. Raises _Refused and _Gone."""
    if message["type"] == "websocket.disconnect":
        raise _Gone
    if not pace.allows(time.monotonic()):
        raise _Refused(Close.TOO_MANY_FRAMES, 5_000, f"more than {protocol.MAX_FRAMES_PER_S} frames a second")
    text = message.get("text")
    data = text if text is not None else message.get("bytes")
    if data is not None and len(data) > protocol.MAX_FRAME_BYTES:
        raise _Refused(Close.FRAME_TOO_LARGE, None, f"a frame has more than {protocol.MAX_FRAME_BYTES} bytes")
    try:
        return protocol.parse(data)
    except WrongFrame as exc:
        raise _Refused(Close.WRONG_FRAME, None, str(exc)) from exc


async def _refuse(send: Send, refusal: Refusal) -> None:
    """Answer a handshake with an HTTP status."""
    headers = [(b"content-type", b"application/problem+json")]
    if refusal.retry_after_s is not None:
        headers.append((b"retry-after", str(refusal.retry_after_s).encode()))
    body = json.dumps({"status": refusal.status, "title": refusal.why}).encode()
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
