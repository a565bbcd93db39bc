"""Tokens by client credentials: kept while they are valid, and asked for rarely while none comes."""

from __future__ import annotations

import logging
import os
from types import SimpleNamespace
from typing import Any

import pytest

from workers.kafka.cluster import OAuth
from workers.kafka.security import oauth
from workers.kafka.security.oauth import ClientCredentials, NoToken, token_provider


class World:
    """A token's server whose tokens are valid for 100 s, and a clock."""

    def __init__(self) -> None:
        self.now, self.asked, self.is_up = 1_000.0, 0, True
        self.expires_in: object = 100

    def ask(self) -> dict[str, Any]:
        self.asked += 1
        if not self.is_up:
            raise NoToken("the server is away")
        return {"access_token": f"token {self.asked}", "expires_in": self.expires_in}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(oauth, "time", SimpleNamespace(monotonic=lambda: made.now))
    monkeypatch.setattr(ClientCredentials, "_ask", lambda _: made.ask())
    return made


def test_a_token_is_renewed_before_it_expires(world: World) -> None:
    provider = ClientCredentials(OAuth())
    assert provider.token() == provider.token() == "token 1"
    world.now += 81
    assert provider.token() == "token 2"


def test_the_old_token_is_used_until_it_expires(world: World, caplog: pytest.LogCaptureFixture) -> None:
    provider = ClientCredentials(OAuth())
    provider.token()
    world.is_up = False
    world.now += 99
    with caplog.at_level(logging.WARNING):
        assert provider.token() == "token 1"
    assert "token not renewed" in caplog.text
    world.now += 1
    with pytest.raises(NoToken, match="the server is away"):
        provider.token()


def test_a_server_that_gives_none_is_left_alone_for_some_seconds(world: World) -> None:
    provider = ClientCredentials(OAuth())
    world.is_up = False
    for _ in range(10):
        with pytest.raises(NoToken, match="the server is away"):
            provider.token()
    assert world.asked == 1
    world.is_up = True
    world.now += oauth._RETRY_AFTER_S
    assert provider.token() == "token 2"


@pytest.mark.parametrize("expires_in", ["soon", [1], float("inf"), 10**400, -5])
def test_a_lifetime_that_is_none_is_told(world: World, expires_in: object) -> None:
    provider = ClientCredentials(OAuth())
    world.expires_in = expires_in
    with pytest.raises(NoToken, match="expires_in="):
        provider.token()
    world.now += oauth._RETRY_AFTER_S
    world.expires_in = "100"
    assert provider.token() == "token 2"


def test_a_lock_that_another_thread_held_at_a_fork_holds_up_nobody() -> None:
    settings = OAuth("https://127.0.0.1/token")
    provider: Any = token_provider(settings)
    with provider._lock:
        child = os.fork()
        if child == 0:
            here: Any = token_provider(settings)
            os._exit(here._lock.locked())
    assert os.waitpid(child, 0)[1] == 0
