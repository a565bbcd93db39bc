"""How the WebSocket answers the first frame when it cannot, or need not, make a session."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from jwt import PyJWK

from web.access import MAX_TOKEN_CHARACTERS, Access
from web.keys import Keys, KeysAway, SecretKey
from web.live.bridge import Bridge, Limits
from web.live.connections.admission import Admission
from web.live.connections.websocket import LiveSocket
from web.live.protocol import SUBPROTOCOL
from workers import Cluster

#: Well-formed, signed by nobody.
UNKNOWN = "eyJhbGciOiJFZERTQSIsImtpZCI6Im9uZSJ9.e30.e30"


class Hanging:
    """Keys that never come."""

    async def find(self, algorithm: str, kid: str | None) -> PyJWK | str:
        await asyncio.Event().wait()
        raise AssertionError


class Away:
    """Keys that cannot be fetched."""

    async def find(self, algorithm: str, kid: str | None) -> PyJWK | str:
        raise KeysAway


async def _no_app(*_: Any) -> None:
    raise AssertionError


async def _end_of(keys: Keys, hello: str) -> int:
    """Say hello; return the code with which the connection ends."""
    bridge = Bridge(Cluster(("127.0.0.1:1",)), ["events"], limits=Limits(hello_within_s=0.05))
    admission = Admission(origins=(), connections=1, per_address=1)
    socket = LiveSocket(
        _no_app, bridge=bridge, access=Access(keys, audience="todo"), admission=admission, path="/live"
    )
    came = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": hello}])
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return next(came)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/live", "subprotocols": [SUBPROTOCOL], "headers": []}
    await asyncio.wait_for(socket(scope, receive, send), 30)
    code: int = sent[-1]["code"]
    return code


@pytest.mark.parametrize(
    ("keys", "token", "code"),
    [
        (Hanging(), UNKNOWN, 4010),
        (Away(), UNKNOWN, 4010),
        (SecretKey("x" * 32), "\ud800", 4501),
        (SecretKey("x" * 32), "x" * MAX_TOKEN_CHARACTERS, 4501),
        (SecretKey("x" * 32), "x" * 3 * MAX_TOKEN_CHARACTERS, 4504),
    ],
    ids=["hanging", "away", "surrogate", "longest", "too-long"],
)
def test_a_token_that_cannot_be_taken_ends_in_a_code(keys: Keys, token: str, code: int) -> None:
    hello = json.dumps({"type": "hello", "token": token, "cursor": "c" * 1_000})
    assert asyncio.run(_end_of(keys, hello)) == code
