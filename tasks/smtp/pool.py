"""Keeps a few connections to one SMTP server and sends mails over them. For one event loop."""

from __future__ import annotations

import asyncio

from aiosmtplib import SMTP, SMTPException, SMTPNotSupported, SMTPResponseException

from .mail import Mail
from .server import CLOSING, Server, drop, leave


class Pool:
    """At most ``size`` connections at once; each is kept for ``idle_s`` seconds after its last mail.

    A server may close a kept connection at any time, announce that with a 421, or restart: the mail then goes
    over a new connection. That is safe until the content is sent. If the content gets no answer, nobody knows
    whether the server took the mail; it is reported as not sent.
    """

    def __init__(self, server: Server, *, size: int, idle_s: float) -> None:
        self._server = server
        self._size = size
        self._idle_s = idle_s
        self._slots = asyncio.Semaphore(size)
        self._kept: dict[SMTP, asyncio.TimerHandle] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def send(self, mail: Mail) -> None:
        """Return when the server has taken the mail. Raises MailNotSent; MailRefused if it never will."""
        async with self._slots:
            client = await self._addressed(mail)
            try:
                await client.data(mail.content)
            except SMTPResponseException as exc:
                if exc.code == CLOSING:
                    drop(client)
                else:
                    # A server that refused DATA itself would take the next mail for one within this.
                    await self._reset(client)
                raise self._server.not_taken(exc, mail.recipient) from exc
            except (SMTPException, OSError) as exc:
                drop(client)
                raise self._server.not_connected(exc, mail.recipient) from exc
            except BaseException:
                drop(client)  # in the middle of something: nobody can use it
                raise
            self._keep(client)

    async def close(self) -> None:
        """Wait for the mails in hand, then leave the server; no mail can be sent any more."""
        for _ in range(self._size):
            await self._slots.acquire()
        for client in list(self._kept):
            self._leave(client)
        await asyncio.gather(*self._leaving)

    async def _addressed(self, mail: Mail) -> SMTP:
        """A connection on which the server knows sender and recipient, and waits for the content."""
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
            await client.mail(mail.sender, options=await _options(client, mail))
            await client.rcpt(mail.recipient, encoding="utf-8")
        except SMTPNotSupported as exc:
            self._keep(client)
            raise self._server.cannot_take(mail) from exc
        except SMTPResponseException as exc:
            if exc.code == CLOSING:
                drop(client)
                raise _Gone(exc) from exc
            await self._reset(client)
            raise self._server.not_taken(exc, mail.recipient) from exc
        except (SMTPException, OSError) as exc:
            drop(client)
            raise _Gone(exc) from exc
        except BaseException:
            drop(client)
            raise
        return client

    async def _reset(self, client: SMTP) -> None:
        """Make the connection ready for another mail, and keep it; drop it if that fails."""
        try:
            await client.rset()
        except BaseException as exc:
            drop(client)
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
            drop(client)

    def _leave(self, client: SMTP) -> None:
        self._kept.pop(client).cancel()
        task = asyncio.get_running_loop().create_task(leave(client))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _options(client: SMTP, mail: Mail) -> list[str]:
    if not mail.needs_smtputf8:
        return []
    if client.is_ehlo_or_helo_needed:
        await client.ehlo()
    if not client.supports_extension("smtputf8"):
        raise SMTPNotSupported("SMTPUTF8")
    return ["SMTPUTF8", "BODY=8BITMIME"]


class _Gone(Exception):
    """The connection is of no more use; ``error`` says why. The server does not have the mail."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error
