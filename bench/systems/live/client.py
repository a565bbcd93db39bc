"""A WebSocket client that costs little: it counts frames, and looks into none but the first."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from workers.runtime.garbage import make_collections_rare

_TEXT = 0x81


def framed(text: bytes) -> bytes:
    """A text frame of a client, masked with zeros: the mask is of use to proxies only."""
    size = len(text)
    head = bytes([_TEXT, 0x80 | size]) if size < 126 else bytes([_TEXT, 0x80 | 126]) + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + text


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a server speaks over WebSocket: how a ping of it begins, and the frame that answers it."""

    path: str
    subprotocol: str | None
    ping: bytes
    pong: bytes

    @property
    def request(self) -> bytes:
        """The handshake."""
        lines = [
            f"GET {self.path} HTTP/1.1",
            "Host: 127.0.0.1",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *([f"Sec-WebSocket-Protocol: {self.subprotocol}"] if self.subprotocol else []),
        ]
        return "\r\n".join([*lines, "\r\n"]).encode()


BRIDGE = Protocol("/live", "todo.v1", b'{"type":"ping"', framed(b'{"type":"pong"}'))


class Client(asyncio.Protocol):
    """One connection. ``on_frame`` gets the payload of every frame but pings, the first is `welcome`."""

    __slots__ = ("_buffer", "_hello", "_is_open", "_on_frame", "_protocol", "transport", "user")

    def __init__(
        self, user: int, hello: bytes, on_frame: Callable[[bytes], None], protocol: Protocol = BRIDGE
    ) -> None:
        self.user = user
        self._protocol = protocol
        self._hello = hello
        self._on_frame = on_frame
        self._is_open = False
        self._buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one in all but its type.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._protocol.request)

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data if self._buffer else data
        if not self._is_open:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            self._is_open = True
            assert self.transport is not None
            self.transport.write(self._hello)
        self._buffer = self._take(data)

    def _take(self, data: bytes) -> bytes:
        """Hand over the whole frames; returns what is left."""
        while len(data) >= 2:
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            elif size == 127:
                size, start = int.from_bytes(data[2:10], "big"), 10
            if len(data) < start + size:
                break
            payload, data = data[start : start + size], data[start + size :]
            if payload.startswith(self._protocol.ping):
                assert self.transport is not None
                self.transport.write(self._protocol.pong)
            else:
                self._on_frame(payload)
        return data


def ready_for(count: int) -> None:
    """Make this process ready for so many connections. Raises OSError if it may not open so many files.

    From now on it is not held up by looks at all of its objects, as their times would count as the server's.
    """
    make_collections_rare()
    import resource  # noqa: PLC0415 - not on every system

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 200 <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 200, hard))
    elif hard < count + 200:
        raise OSError(f"{count} connections need ulimit -n {count + 200}, it is {os.sysconf('SC_OPEN_MAX')}")
