"""The relay of the outbox lives as long as the application around it."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI
from starlette.testclient import TestClient

from web.relaying import relay_router
from workers.outbox.relay import Relay


class Recorded:
    """Stands in for a relay, and notes what is asked of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")


def test_the_relay_starts_and_stops_with_the_application() -> None:
    recorded = Recorded()
    app = FastAPI()
    app.include_router(relay_router(lambda: cast(Relay, cast(Any, recorded))))
    with TestClient(app):
        assert recorded.calls == ["start"]
    assert recorded.calls == ["start", "stop"]
