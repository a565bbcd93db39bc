"""A connection of a protocol without a socket, and a loop whose time a test passes."""

from __future__ import annotations

import asyncio
from typing import Any


class Transport(asyncio.Transport):
    """A connection to a client that reads nothing: like asyncio's, it pauses writing above 64 KB."""

    def __init__(self) -> None:
        super().__init__()
        self.connection: Any = None
        self.written = b""
        self.written_after_pause = b""
        self.is_aborted = False
        self._is_closing = False
        self._is_lost = False

    def write(self, data: Any) -> None:
        if len(self.written) > 65_536:
            self.written_after_pause += data
        self.written += data
        if len(self.written) > 65_536:
            self.connection.pause_writing()

    def abort(self) -> None:
        self.is_aborted = True
        self._end()

    def close(self) -> None:
        self._is_closing = True
        if len(self.written) <= 65_536:
            self._end()

    def _end(self) -> None:
        self._is_closing = True
        if not self._is_lost:
            self._is_lost = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time is what the test says. What is due then is done in the next turns."""

    now = 1_000.0

    def time(self) -> float:
        return self.now


async def turns() -> None:
    """Let the loop do all that it can do without time."""
    for _ in range(10):
        await asyncio.sleep(0)
