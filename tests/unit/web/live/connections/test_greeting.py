"""How the WebSocket answers the first frame when it cannot, or need not, make a session."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import MutableMapping
from typing import Any

import jwt
import pytest
from jwt import PyJWK

from tests.helpers.hostile_text import HOSTILE, is_safe
from web.access import MAX_TOKEN_CHARACTERS, Access
from web.keys import Keys, KeysAway, SecretKey
from web.live.bridge import Bridge, Limits
from web.live.connections.admission import Admission
from web.live.connections.websocket import LiveSocket
from web.live.protocol import SUBPROTOCOL
from workers import Cluster


def token(**claims: Any) -> str:
    good = {"email": "ana@example.com", "aud": "todo", "exp": time.time() + 86_400}
    return jwt.encode(good | claims, "x" * 32)


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


async def _greet(keys: Keys, hello: str) -> list[MutableMapping[str, Any]]:
    """Say hello, and hang up; return what the server sends."""
    bridge = Bridge(Cluster(("127.0.0.1:1",)), ["events"], limits=Limits(hello_within_s=0.05))
    bridge.hub.begin(b"epoch", [0])
    admission = Admission(origins=(), connections=1, per_address=1)
    socket = LiveSocket(
        _no_app, bridge=bridge, access=Access(keys, audience="todo"), admission=admission, path="/live"
    )
    came = iter(
        [
            {"type": "websocket.connect"},
            {"type": "websocket.receive", "text": hello},
            {"type": "websocket.disconnect"},
        ]
    )
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return next(came)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/live", "subprotocols": [SUBPROTOCOL], "headers": []}
    await asyncio.wait_for(socket(scope, receive, send), 30)
    return sent


@pytest.mark.parametrize(
    ("keys", "token", "code"),
    [
        (Hanging(), token(), 4010),
        (Away(), token(), 4010),
        (Away(), token(exp=time.time() - 60), 4501),
        (SecretKey("x" * 32), "\ud800", 4501),
        (SecretKey("x" * 32), "x" * MAX_TOKEN_CHARACTERS, 4501),
        (SecretKey("x" * 32), "x" * 3 * MAX_TOKEN_CHARACTERS, 4504),
    ],
    ids=["hanging", "away", "expired", "surrogate", "longest", "too-long"],
)
def test_a_token_that_cannot_be_taken_ends_in_a_code(keys: Keys, token: str, code: int) -> None:
    hello = json.dumps({"type": "hello", "token": token, "cursor": "c" * 1_000})
    assert asyncio.run(_greet(keys, hello))[-1]["code"] == code


def test_what_a_client_calls_itself_is_logged_short_and_harmless(caplog: pytest.LogCaptureFixture) -> None:
    names = ["shop/1.0", f"{HOSTILE}\n\u202e" + "x" * 1_000, "\ud800"]
    with caplog.at_level(logging.DEBUG, "web.live"):
        for name in names:
            hello = {"type": "hello", "token": token(), "client": name}
            asyncio.run(_greet(SecretKey("x" * 32), json.dumps(hello)))
    said = [record.getMessage() for record in caplog.records]
    assert [text.partition("client=")[2] for text in said] == [repr(name)[:60] for name in names]
    assert all(is_safe(text) and "\n" not in text for text in said)
