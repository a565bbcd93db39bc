"""The send buffer: what waits to be sent to one client, and what happens if that gets too much. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from . import protocol
from .ring import Entry

#: How much may wait for a client that reads slowly.
MAX_BYTES = 256 * 1024
MAX_FRAMES = 1_000


class Waiting(NamedTuple):
    """A frame that waits: its text, which users share, the event in it, and the cursor that it reaches."""

    text: str
    cursor: str | None = None
    entry: Entry | None = None


class SendBuffer:
    """The frames that wait for one client, in order."""

    def __init__(self, *, max_bytes: int = MAX_BYTES, max_frames: int = MAX_FRAMES) -> None:
        self._max_bytes = max_bytes
        self._max_frames = max_frames
        self._waiting: deque[Waiting] = deque()
        self.bytes = 0
        self.left_out = 0  #: events that a newer one has replaced

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, frame: Waiting) -> bool:
        """Add a frame; returns whether the client can still keep up.

        If too much waits, an event that a newer one replaces is left out. If it is too much even so, the
        client is too slow. Nothing is lost: its cursor is behind all that waits.
        """
        self._waiting.append(frame)
        self.bytes += len(frame.text)
        if not self._is_too_much():
            return True
        self._leave_out_replaced()
        return not self._is_too_much()

    def take(self) -> Waiting | None:
        """Remove the next frame, several events joined to one; None if nothing waits."""
        if not self._waiting:
            return None
        first = self._next()
        if first.entry is None or not self._waiting or self._waiting[0].entry is None:
            return first
        entries, size, last = [first.entry], len(first.text), first
        while size < protocol.JOINED_BYTES and self._waiting and self._waiting[0].entry is not None:
            last = self._next()
            assert last.entry is not None
            entries.append(last.entry)
            size += len(last.text)
        bodies = [entry.body for entry in entries]
        return Waiting(protocol.events(bodies, last.cursor), last.cursor)

    def clear(self) -> None:
        """Forget all that waits."""
        self._waiting.clear()
        self.bytes = 0

    def _next(self) -> Waiting:
        frame = self._waiting.popleft()
        self.bytes -= len(frame.text)
        return frame

    def _is_too_much(self) -> bool:
        return self.bytes > self._max_bytes or len(self._waiting) > self._max_frames

    def _leave_out_replaced(self) -> None:
        newest: set[str] = set()
        kept: deque[Waiting] = deque()
        for frame in reversed(self._waiting):
            key = frame.entry.replaces if frame.entry else None
            if key is not None and key in newest:
                self.bytes -= len(frame.text)
                self.left_out += 1
                continue
            if key is not None:
                newest.add(key)
            kept.appendleft(frame)
        self._waiting = kept
