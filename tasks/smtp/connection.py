"""A connection to the mail server: carries a conversation over asyncio's transport. For one event loop."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

from .conversation import Conversation, Left, Refused, Taken
from .envelope import QUIT_TIMEOUT_S, Extensions
from .replies import Ended
from .submission import Submission


class Owner(Protocol):
    """Who uses a connection; it is called on the event loop's thread."""

    def answered(self, connection: Connection, outcome: Taken | Refused) -> None:
        """Learn the server's answer to a mail. Nothing was sent since."""

    def catch_up(self, connection: Connection) -> None:
        """Take the mails back whose time is up, before their content goes out; it may end the connection."""

    def went_on(self, connection: Connection) -> None:
        """Use the connection for another mail, if it is free. What it has to say goes out after this."""

    def ended(self, connection: Connection, left: Left, error: Exception) -> None:
        """See to the mails that are left on a connection that has ended."""

    def is_due(self, at: float) -> None:
        """Look after the connection at this time of the loop's clock: it may be silent for too long."""


class Connection(asyncio.Protocol):
    """One connection, until it has ended.

    ``due_at`` is the time at which it has been silent for too long: ``timeout_s`` while the server owes a
    reply, ``idle_s`` while there is no mail. The reply to a content is waited for while the mail has time.
    ``opened_at`` is when the connection was handed over.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        offered: Extensions,
        owner: Owner,
        *,
        timeout_s: float,
        idle_s: float,
    ) -> None:
        self.talk = Conversation(offered)
        self.is_open = True
        self.due_at = math.inf
        self._transport = transport
        self._owner = owner
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._is_leaving = False
        self._loop = asyncio.get_running_loop()
        self.opened_at = self._loop.time()
        transport.set_protocol(self)
        self._send()

    @property
    def has_room(self) -> bool:
        """Whether a mail may begin, if only behind another one."""
        return self.is_open and self.talk.is_free

    def begin(self, submission: Submission) -> None:
        """Begin a mail; only if there is room. Raises MailRefused if an address is none."""
        self.talk.begin(submission)
        self._send()

    def settle(self) -> None:
        """Let the next content go."""
        if not self.is_open:
            self.talk.is_held = False
            return
        try:
            self.talk.settle()
        except Ended as exc:
            self.end(exc)
            return
        self._owner.catch_up(self)
        if self.is_open:
            self._send()

    def leave(self) -> None:
        """Say good-bye and close; a server that does not answer is not waited for long."""
        self._is_leaving = True
        self.talk.leave()
        self._send()

    def end(self, error: Exception) -> None:
        """Close at once; the owner is told of the mails that are left."""
        if self.is_open:
            self.is_open = False
            self.due_at = math.inf
            # Over TLS, a close would be one more exchange with the server.
            self._transport.abort()
            self._owner.ended(self, self.talk.left(), error)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if not self.is_open or self._is_leaving:
            self.end(Ended("It said good-bye"))
            return
        try:
            for outcome in self.talk.receive(data):
                self._owner.answered(self, outcome)
        except Ended as exc:
            self.end(exc)
            return
        self._owner.catch_up(self)
        if self.is_open:
            self._owner.went_on(self)
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.end(exc or ConnectionResetError("It closed the connection"))

    def _send(self) -> None:
        if written := self.talk.to_write():
            self._transport.write(written)
        if self._is_leaving:
            silence_s = QUIT_TIMEOUT_S
        elif self.talk.is_unanswered:
            # A server may look at a content for minutes before it takes it, and has it then: giving up sooner
            # sends the mail once more with each try (RFC 5321, 4.5.3.2.6).
            silence_s = math.inf
        elif self.talk.is_waiting:
            silence_s = self._timeout_s
        elif self.talk.is_idle:
            silence_s = self._idle_s
        else:
            silence_s = math.inf  # it is our turn
        self.due_at = self._loop.time() + silence_s
        self._owner.is_due(self.due_at)
