"""Hands mails to one SMTP server, over a few connections that are kept and used again. For one event loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponseException,
)

from workers.errors import WorkersError

from ..text import one_line

#: Replies to a login that was refused or is missing (RFC 4954): about our settings, not about the mail.
LOGIN_REPLIES = frozenset({530, 534, 535, 538})

#: The reply of a server that is about to close the connection.
_CLOSING = 421
#: How long the server may take to answer a good-bye.
_QUIT_TIMEOUT_S = 1.0


class MailNotSent(WorkersError):
    """The mail server did not take the mail; it may do so later.

    ``code`` is the server's SMTP reply code; None where it gave none, as when it cannot be reached.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class MailRefused(MailNotSent):
    """The mail server refused the mail for good: it would do so again."""


@dataclass(frozen=True)
class Mail:
    """A mail as the server gets it: bare addresses, and the message with its headers."""

    sender: str
    recipient: str
    content: bytes


@dataclass(frozen=True)
class Server:
    """An SMTP server and how to log in there."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"] = "none"
    ca_file: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0

    async def connect(self) -> SMTP:
        """Give a connection that is encrypted and logged in as wanted. Raises SMTPException or OSError."""
        client = SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.tls == "tls",
            start_tls=self.tls == "starttls",
            tls_context=None if self.tls == "none" else self._tls_context,
            username=self.username,
            password=self.password if self.username is not None else None,
            timeout=self.timeout_s,
            local_hostname=_local_hostname(),
        )
        await client.connect()
        return client

    async def check(self) -> None:
        """Connect, log in and leave. Raises MailNotSent, with what to do."""
        try:
            client = await self.connect()
        except (SMTPException, OSError, ValueError) as exc:
            raise self._not_usable(exc, "") from exc
        await _quit(client)

    @cached_property
    def _tls_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    def not_connected(self, error: Exception, recipient: str) -> MailNotSent:
        """Say why there is no connection to send the mail on: that is not about the mail."""
        return self._not_usable(error, f" for the mail to {recipient}")

    def _not_usable(self, error: Exception, for_what: str) -> MailNotSent:
        server = f"The mail server {self.host}:{self.port}"
        if isinstance(error, SMTPAuthenticationError):
            hint = "check SMTP_USERNAME and SMTP_PASSWORD"
            return MailNotSent(
                f"{server} refused the login of {self.username}: {_reply(error)} ({hint})", error.code
            )
        if isinstance(error, SMTPResponseException):
            return MailNotSent(f"{server} takes no mail now: {_reply(error)}", error.code)
        cause = error.__cause__ or error  # aiosmtplib's own words name the server once more
        reason = str(cause) or type(cause).__name__
        hint = f"check SMTP_HOST, SMTP_PORT and {'SMTP_TLS' if self.tls == 'none' else 'SMTP_CA_FILE'}"
        return MailNotSent(f"{server} could not be used{for_what}: {reason} ({hint})")

    def not_taken(self, error: SMTPResponseException, recipient: str) -> MailNotSent:
        """Say what the server answered to the mail: for good, where the reply is one of the 500s."""
        final = 500 <= error.code < 600 and error.code not in LOGIN_REPLIES
        kind = MailRefused if final else MailNotSent
        return kind(
            f"The mail server {self.host}:{self.port} refused the mail to {recipient}: {_reply(error)}",
            error.code,
        )


class Pool:
    """At most ``size`` connections at once; each is kept for ``idle_s`` seconds after its last mail.

    A server may close a kept connection whenever it likes, say so with a 421, or restart: the mail then goes
    over a new one. That is safe until the content is sent. Whoever gets no answer to the content cannot know
    whether it was taken; such a mail is reported as not sent.
    """

    def __init__(self, server: Server, *, size: int, idle_s: float) -> None:
        self._server = server
        self._size = size
        self._idle_s = idle_s
        self._slots = asyncio.Semaphore(size)
        self._kept: dict[SMTP, asyncio.TimerHandle] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def send(self, mail: Mail) -> None:
        """Return when the server has taken the mail. Raises MailNotSent; MailRefused where it never will."""
        async with self._slots:
            client = await self._addressed(mail)
            try:
                await client.data(mail.content)
            except SMTPResponseException as exc:
                if exc.code == _CLOSING:
                    _abort(client)
                else:
                    # A server that refused DATA itself would take the next mail for one within this.
                    await self._reset(client)
                raise self._server.not_taken(exc, mail.recipient) from exc
            except (SMTPException, OSError) as exc:
                _abort(client)
                raise self._server.not_connected(exc, mail.recipient) from exc
            except BaseException:
                _abort(client)  # in the middle of something: nobody can use it
                raise
            self._keep(client)

    async def close(self) -> None:
        """Wait for the mails in hand, then take leave of the server; no mail can be sent any more."""
        for _ in range(self._size):
            await self._slots.acquire()
        for client in list(self._kept):
            self._leave(client)
        await asyncio.gather(*self._leaving)

    async def _addressed(self, mail: Mail) -> SMTP:
        """Give a connection on which the server knows sender and recipient, and waits for the content."""
        if (client := self._take()) is not None:
            try:
                return await self._address(client, mail)
            except _Gone:
                self._drop_kept()  # the others have most likely gone the same way
        try:
            client = await self._server.connect()
        except (SMTPException, OSError, ValueError) as exc:
            raise self._server.not_connected(exc, mail.recipient) from exc
        try:
            return await self._address(client, mail)
        except _Gone as exc:
            raise self._server.not_connected(exc.error, mail.recipient) from exc.error

    async def _address(self, client: SMTP, mail: Mail) -> SMTP:
        try:
            await client.mail(mail.sender)
            await client.rcpt(mail.recipient)
        except SMTPResponseException as exc:
            if exc.code == _CLOSING:
                _abort(client)
                raise _Gone(exc) from exc
            await self._reset(client)
            raise self._server.not_taken(exc, mail.recipient) from exc
        except (SMTPException, OSError) as exc:
            _abort(client)
            raise _Gone(exc) from exc
        except BaseException:
            _abort(client)
            raise
        return client

    async def _reset(self, client: SMTP) -> None:
        """Make the connection ready for another mail, and keep it; drop it where that fails."""
        try:
            await client.rset()
        except BaseException as exc:
            _abort(client)
            if not isinstance(exc, SMTPException | OSError):
                raise
        else:
            self._keep(client)

    def _take(self) -> SMTP | None:
        while self._kept:
            client, timer = self._kept.popitem()  # the last one used: those that are too many grow old
            timer.cancel()
            if client.is_connected:
                return client
        return None

    def _keep(self, client: SMTP) -> None:
        if client.is_connected:
            self._kept[client] = asyncio.get_running_loop().call_later(self._idle_s, self._leave, client)

    def _drop_kept(self) -> None:
        while (client := self._take()) is not None:
            _abort(client)

    def _leave(self, client: SMTP) -> None:
        self._kept.pop(client).cancel()
        task = asyncio.get_running_loop().create_task(_quit(client))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


class _Gone(Exception):
    """The connection is of no use any more; ``error`` says why. The server has not got the mail."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


async def _quit(client: SMTP) -> None:
    transport = client.transport
    try:
        with suppress(SMTPException, OSError):
            await client.quit(timeout=_QUIT_TIMEOUT_S)
    finally:
        _end(client, transport)


def _abort(client: SMTP) -> None:
    _end(client, client.transport)


def _end(client: SMTP, transport: asyncio.BaseTransport | None) -> None:
    client.close()
    # Over TLS, closing is an exchange with the server, and the event loop may end before its answer.
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


@cache  # by default it would be looked up, in a thread, for each connection
def _local_hostname() -> str:
    return socket.getfqdn()


def _reply(error: SMTPResponseException) -> str:
    return one_line(f"{error.code} {error.message}")
