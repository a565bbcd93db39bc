"""The WebSocket connections of uvicorn, which also take a frame at once, without a task.

An event for many is made a frame once, and written to each of them with little more than the system call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State

#: The extension in the scope of a connection that can do it, by the rules of ASGI.
_EXTENSION = "live.write_at_once"

#: Writes a text to a client; returns False if it was not written: the client takes no more now, or is gone.
WriteAtOnce = Callable[[str], bool]


class Connection(WebSocketsSansIOProtocol):
    """A connection whose scope offers :func:`write_at_once_of`. Such frames are never compressed."""

    def handle_connect(self, event: Request) -> None:
        """Hand the connection to the application, unless the handshake is wrong."""
        super().handle_connect(event)
        if not self.handshake_complete:  # it was not refused: the application's task begins later
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[_EXTENSION] = {"write": self.write_at_once}

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and leave no circle of objects: a collection is rare in a process with many connections."""
        super().connection_lost(exc)
        if hasattr(self, "scope"):
            cast(dict[str, Any], self.scope["extensions"]).pop(_EXTENSION, None)
        self.conn.parser.close()

    def write_at_once(self, text: str) -> bool:
        """See :data:`WriteAtOnce`."""
        is_open = self.conn.state is State.OPEN and not self.transport.is_closing()
        if not (is_open and self.writable.is_set()):
            return False
        self.transport.write(_framed(text))
        return True


def write_at_once_of(scope: Mapping[str, Any]) -> WriteAtOnce | None:
    """What writes to this connection at once; None: its server can only be awaited."""
    extension = scope.get("extensions", {}).get(_EXTENSION)
    return None if extension is None else cast(WriteAtOnce, extension["write"])


@lru_cache(maxsize=8)
def _framed(text: str) -> bytes:
    """The bytes of a text frame: the same for all whom it is sent to one after the other."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
