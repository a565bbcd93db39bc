"""The WebSocket connections of uvicorn, which also take a frame at once, without a task.

An event for many is made a frame once, and written to each of them with little more than the system call.
What a client can have a connection keep is bounded, also before the client has said who it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State

from ..protocol import MAX_FRAMES_PER_S
from ..session import Pace

#: The extension in the scope of a connection that can do it, by the rules of ASGI.
_EXTENSION = "live.write_at_once"
#: How many frames may wait for the application. It sends a client away that sends so many at once.
_MAX_WAITING = 4 * MAX_FRAMES_PER_S

#: Writes a text to a client; returns False if it was not written: the client takes no more now, or is gone.
WriteAtOnce = Callable[[str], bool]


class Connection(WebSocketsSansIOProtocol):
    """A connection whose scope offers :func:`write_at_once_of`. Such frames are never compressed.

    It ends at once if its client sends more pings, pongs and continuation frames, which the application never
    sees, than MAX_FRAMES_PER_S a second; or if the client has not yet taken all that was sent when the
    application is done.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pace = Pace(self.loop.time())
        self._unsent_pongs = 0

    def data_received(self, data: bytes) -> None:
        """Read; refuses a handshake of too many headers, of which uvicorn learns nothing."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_ping(self) -> None:
        """Answer a ping, later if the client has to take other things first."""
        if not self._keeps_pace():
            return
        if self.writable.is_set():
            super().handle_ping()
            return
        self._unsent_pongs += 1
        if self._unsent_pongs > MAX_FRAMES_PER_S:
            self.transport.abort()

    def resume_writing(self) -> None:
        """Write the answers to pings that came meanwhile."""
        super().resume_writing()
        if self._unsent_pongs:
            self._unsent_pongs = 0
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Count it."""
        if self._keeps_pace():
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        """Keep a continuation frame; the size of all of a message is bounded, but one can be empty."""
        if self._keeps_pace():
            super().handle_cont(event)

    def _keeps_pace(self) -> bool:
        """Count a frame that the application does not see; ends the connection at one too many."""
        if self.transport.is_closing():
            return False
        if self._pace.allows(self.loop.time()):
            return True
        self.transport.abort()
        return False

    def send_receive_event_to_app(self) -> None:
        """Let a frame wait for the application, if not too many do: one read can bring tens of thousands."""
        if self.queue.qsize() < _MAX_WAITING:
            super().send_receive_event_to_app()
        else:
            self.frames = []

    async def run_asgi(self) -> None:
        """Run the application, and close without what the client does not take."""
        await super().run_asgi()
        if not self.writable.is_set():
            self.transport.abort()

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
