"""A client of the protocol `todo.v1`, as docs/live.md describes it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

Frame = dict[str, Any]


@dataclass
class LiveClient:
    """Connects, and keeps what it has seen over connections, as the protocol asks of a client."""

    url: str
    token: str
    cursor: str | None = None
    events: list[Frame] = field(default_factory=list)
    #: Why it had to load anew, each time.
    resyncs: list[str] = field(default_factory=list)
    #: The code and the last frame of the last connection.
    closed: int | None = None
    bye: Frame | None = None
    welcome: Frame = field(default_factory=dict)
    others: list[Frame] = field(default_factory=list)
    #: Since when the log is not followed, as it was told last.
    stale_since: str | None = None
    _seen: dict[int, int] = field(default_factory=dict)
    _epoch: str | None = None
    _socket: ClientConnection | None = None
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def connect(self, *, timeout_s: float = 10.0) -> Frame:
        """Say hello and wait for welcome; returns it. Fails if the server refuses."""
        self.open()
        self.hello()
        while (frame := self.receive(timeout_s)) is not None:
            if frame["type"] == "welcome":
                return frame
        raise AssertionError(f"no welcome; closed with {self.closed}, bye {self.bye}")

    def hello(self) -> None:
        """Say who it is and what it has seen, without waiting for the answer."""
        self.send({"type": "hello", "token": self.token, "cursor": self.cursor, "client": "tests"})

    def open(self, **options: Any) -> None:
        """Connect without a hello."""
        self.closed, self.bye = None, None
        connection = connect(self.url, subprotocols=[Subprotocol("todo.v1")], proxy=None, **options)
        self._socket = self._open.enter_context(connection)

    def disconnect(self) -> None:
        self._open.close()
        self._socket = None

    def send(self, frame: Frame | str | bytes) -> None:
        assert self._socket is not None
        self._socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    def receive(self, timeout_s: float) -> Frame | None:
        """Take the next frame in; None if the connection has ended. Raises TimeoutError."""
        assert self._socket is not None
        try:
            frame: Frame = json.loads(self._socket.recv(timeout_s))
        except ConnectionClosed as exc:
            self.closed = exc.rcvd.code if exc.rcvd else 1006
            return None
        self._take(frame)
        return frame

    def read_until(self, count: int, *, timeout_s: float = 10.0) -> list[Frame]:
        """Take frames in until there are so many events."""
        while len(self.events) < count:
            assert self.receive(timeout_s) is not None, f"closed with {self.closed} after {len(self.events)}"
        return self.events

    def read_to_the_end(self, *, timeout_s: float = 20.0) -> int:
        """Take frames in until the server closes; returns the code."""
        while self.receive(timeout_s) is not None:
            pass
        assert self.closed is not None
        return self.closed

    def _take(self, frame: Frame) -> None:
        kind = frame["type"]
        if kind in {"welcome", "resync"}:
            if kind == "resync" or frame["epoch"] != self._epoch:
                self._seen.clear()
            self._epoch = frame["epoch"]
            self.cursor = frame["cursor"] or self.cursor
        if kind in {"welcome", "ping"}:
            self.stale_since = frame.get("stale_since", self.stale_since)
        if kind == "welcome":
            self.welcome = frame
        elif kind == "resync":
            self.resyncs.append(frame["why"])
        elif kind == "event":
            self._show(frame["e"])
        elif kind == "ping":
            self.send({"type": "pong"})
        elif kind == "bye":
            self.bye = frame
        else:
            self.others.append(frame)
        if "c" in frame:
            self.cursor = frame["c"]

    def _show(self, events: list[Frame]) -> None:
        ids = {event["id"] for event in self.events}
        for event in events:
            if event["o"] > self._seen.get(event["p"], -1):
                self._seen[event["p"]] = event["o"]
                if event["id"] not in ids:
                    self.events.append(event)
