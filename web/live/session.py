"""A session: one client that has said hello. Pure: times are passed in, in seconds of a monotonic clock."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from . import protocol
from .protocol import Close
from .send_buffer import SendBuffer, Waiting


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a session: its code, and the last frame."""

    code: Close
    bye: str


class Session:
    """What is to be sent to a client, and when it has to be heard of.

    ``wake`` is called if there is something to send or to end; it must not block. ``answers``: the client can
    send frames, so it must answer pings and can bring a new token.
    """

    __slots__ = (
        "_awaits_pong",
        "_expires_at",
        "_ping_at",
        "_refresh_at",
        "answers",
        "due_at",
        "ending",
        "has_left",
        "id",
        "send_buffer",
        "user",
        "wake",
    )

    def __init__(
        self, user: str, *, now: float, expires_at: float, wake: Callable[[], None], answers: bool = True
    ) -> None:
        self.id = secrets.token_urlsafe(9)
        self.user = user
        self.send_buffer = SendBuffer()
        self.ending: Ending | None = None
        #: Whether its client is gone.
        self.has_left = False
        self.answers = answers
        self.wake = wake
        self._awaits_pong = False
        self._ping_at = now + protocol.PING_S
        self.due_at = 0.0
        self.renew(expires_at, now)

    def renew(self, expires_at: float, now: float) -> None:
        """Let the session last until ``expires_at``."""
        self._expires_at = expires_at
        left_s = expires_at - now
        if self.answers and left_s >= protocol.REFRESH_AT_LEAST_S:
            # Half, for a token that lives shortly or was brought before: each tick would ask for another.
            self._refresh_at = expires_at - min(protocol.REFRESH_BEFORE_S, left_s / 2)
        else:
            self._refresh_at = expires_at
        self._set_due()

    def heard(self) -> None:
        """Note that the client has sent something."""
        self._awaits_pong = False

    def send(self, frame: Waiting) -> None:
        """Let a frame wait for the client; ends the session if it is too slow."""
        if self.ending is not None:
            return
        if self.send_buffer.put(frame):
            self.wake()
        else:
            self.end(Close.TOO_SLOW, 0, "too much waits for this client; it goes on from its cursor")

    def end(self, code: Close, again_after_ms: int | None, why: str = "") -> None:
        """End the session: nothing but a last frame is sent any more."""
        self.finish(Ending(code, protocol.bye(code, again_after_ms, why)))

    def finish(self, ending: Ending) -> None:
        """End the session as :meth:`end` does."""
        if self.ending is None:
            self.send_buffer.clear()
            self.ending = ending
            self.wake()

    def tick(self, now: float, ping: Waiting) -> None:
        """Do what is due: send ``ping``, ask for a new token, end."""
        if now >= self._expires_at:
            self.end(Close.TOKEN_ENDED, 0, "the token has ended")
        elif now >= self._refresh_at:
            self._refresh_at = self._expires_at
            self.send(Waiting(protocol.refresh(max(0.0, self._expires_at - now))))
        elif now >= self._ping_at:
            if self._awaits_pong:
                self.end(Close.SILENT, 0, "a ping was not answered")
                return
            self._awaits_pong = self.answers
            self._ping_at = now + protocol.PING_S
            # Behind frames that wait, its cursor reaches further than they do.
            self.send(ping)
        self._set_due()

    def _set_due(self) -> None:
        self.due_at = min(self._expires_at, self._refresh_at, self._ping_at)


class Pace:
    """Counts frames of a client against the limit: so many a second, with as many at once."""

    __slots__ = ("_left", "_seen_at")

    def __init__(self, now: float) -> None:
        self._left = float(protocol.MAX_FRAMES_PER_S)
        self._seen_at = now

    def allows(self, now: float) -> bool:
        """Count one frame; False if it is one too many."""
        gained = (now - self._seen_at) * protocol.MAX_FRAMES_PER_S
        self._left = min(protocol.MAX_FRAMES_PER_S, self._left + gained) - 1
        self._seen_at = now
        return self._left >= 0
