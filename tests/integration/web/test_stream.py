"""The same events as Server-Sent Events."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from tests.integration.web.conftest import Publish, RunningBridge, titles, token_of

ANA = "ana@example.com"


class Stream:
    """A connection to /stream."""

    def __init__(self, bridge: RunningBridge, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection(bridge.address, timeout=10)
        self._connection.request("GET", "/stream", headers=headers)
        self.response = self._connection.getresponse()
        self.last_id: str | None = None

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self._connection.close()

    def next_frame(self) -> dict[str, Any]:
        while line := self.response.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "data":
                frame: dict[str, Any] = json.loads(value)
                self.response.readline()
                return frame
        return self.next_frame()


def bearer(**claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(ANA, **claims)}"}


def test_events_come_and_those_that_were_missed_by_the_id_of_the_last_one(
    bridge: RunningBridge, publish: Publish
) -> None:
    with Stream(bridge, bearer()) as stream:
        assert stream.response.status == 200
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.next_frame()["type"] == "welcome"
        publish("one")
        assert titles(stream.next_frame()["e"]) == ["one"]
    publish("two", "three")
    with Stream(bridge, {**bearer(), "Last-Event-ID": stream.last_id or ""}) as again:
        assert again.next_frame()["resumed"]
        found = titles(again.next_frame()["e"])
        while len(found) < 2:
            found += titles(again.next_frame()["e"])
        assert found == ["two", "three"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer a.b.c"}, bearer(aud="shop")])
def test_without_a_good_token_there_is_none(bridge: RunningBridge, headers: dict[str, str]) -> None:
    with Stream(bridge, headers) as stream:
        assert stream.response.status == 401
        assert "Bearer" in stream.response.headers["www-authenticate"]
        assert json.loads(stream.response.read())["status"] == 401


def test_a_stream_ends_with_its_token(bridge: RunningBridge) -> None:
    with Stream(bridge, bearer(for_s=1)) as stream:
        assert stream.next_frame()["type"] == "welcome"
        assert stream.next_frame()["code"] == 4002
        assert stream.response.read() == b""
