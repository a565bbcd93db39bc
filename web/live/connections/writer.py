"""Writes what waits for a session to its connection.

What the connection takes at once is written when it is the session's turn. A task of its own runs only while
more waits than that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from ..hub import Hub
from ..protocol import Close
from ..send_buffer import Waiting
from ..session import Ending, Session
from ..turns import Turns
from .at_once import WriteAtOnce

logger = logging.getLogger(__name__)

#: When a client comes back to which a frame could not be sent.
_AGAIN_MS = 2_000


class Writer:
    """Sends the frames of one session, in order. Made by the task that serves the connection.

    ``send`` sends a frame and waits while the connection takes no more; ``finish`` sends the last one and
    ends the connection. Both raise OSError if the client is gone.
    """

    __slots__ = (
        "_finish",
        "_has_turn",
        "_last_frame_s",
        "_limit",
        "_owner",
        "_send",
        "_task",
        "_turns",
        "_write",
        "gave_up",
        "session",
    )

    def __init__(
        self,
        send: Callable[[Waiting], Awaitable[None]],
        finish: Callable[[Ending], Awaitable[None]],
        *,
        last_frame_s: float,
        turns: Turns,
        write: WriteAtOnce | None = None,
    ) -> None:
        """``last_frame_s``: how long a client that reads nothing has to take its last frame.

        ``write`` does what ``send`` does without waiting, if the connection can.
        """
        self._send = send
        self._finish = finish
        self._turns = turns
        self._write = write
        self._has_turn = False
        self._last_frame_s = last_frame_s
        self._task: asyncio.Task[None] | None = None
        self._owner = asyncio.current_task()
        self._limit: asyncio.TimerHandle | None = None
        #: Whether the serving task was cancelled, as the client takes not even its last frame.
        self.gave_up = False
        self.session: Session | None = None

    def wake(self) -> None:
        """Begin to send soon, if that does not happen already."""
        session = self.session
        assert session is not None
        if self._task is None and not self._has_turn:
            self._has_turn = True
            self._turns.add(self._take_turn)
        if session.ending is not None and self._limit is None:
            self._limit = asyncio.get_running_loop().call_later(self._last_frame_s, self._give_up)

    @asynccontextmanager
    async def serving(self, hub: Hub) -> AsyncIterator[None]:
        """Take the session off the hub at the end of the block, and close.

        The block also ends if the client takes not even `bye`.
        """
        assert self.session is not None
        try:
            yield
        except asyncio.CancelledError:
            if not self.gave_up:
                raise
        finally:
            hub.leave(self.session)
            await self.close()
            # Without this circle the memory of the connection is free at once: collections are rare.
            self.session.wake = _sleep_on

    async def close(self) -> None:
        """Send no more, and wait until that is so."""
        if self._limit is not None:
            self._limit.cancel()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _give_up(self) -> None:
        assert self._owner is not None
        self.gave_up = True
        self._owner.cancel()

    def _take_turn(self) -> None:
        """Write what the connection takes at once, and leave the rest to a task."""
        session = self.session
        self._has_turn = False
        assert session is not None
        if session.has_left:
            return
        try:
            untaken = self._write_at_once(session)
        except Exception:
            logger.exception("live.send_failed session=%s", session.id)
            self._failed(session)
            return
        if untaken is not None or len(session.send_buffer) or session.ending is not None:
            self._task = asyncio.get_running_loop().create_task(self._run(session, untaken))

    def _write_at_once(self, session: Session) -> Waiting | None:
        """Write while the connection takes it; returns the frame that it did not take."""
        if self._write is None:
            return None
        while (frame := session.send_buffer.take()) is not None:
            if not self._write(frame.text):
                return frame
        return None

    async def _run(self, session: Session, untaken: Waiting | None) -> None:
        """Send what waits, ``untaken`` first."""
        try:
            with suppress(OSError):
                if untaken is not None:
                    await self._send(untaken)
                while (frame := session.send_buffer.take()) is not None:
                    await self._send(frame)
                if session.ending is not None:
                    await self._finish(session.ending)
        except Exception:
            logger.exception("live.send_failed session=%s", session.id)
            self._task = None
            self._failed(session)
        else:
            self._task = None

    @staticmethod
    def _failed(session: Session) -> None:
        """Wake this once more, for the last frame; if it was that one, the limit ends the connection."""
        session.end(Close.GOING_AWAY, _AGAIN_MS, "a frame could not be sent")


def _sleep_on() -> None:
    """Do nothing: the client is gone."""
