"""An SMTP server: how to connect to it and leave it, and its errors in words. For one event loop."""

from __future__ import annotations

import asyncio
import re
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
    SMTPHeloError,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from ..text import one_line
from .conversation import Refused
from .envelope import QUIT_TIMEOUT_S, Extensions
from .mail import Mail, MailNotSent, MailRefused
from .refusals import is_of_host, is_of_sender
from .replies import CLOSING, Ended, Reply

#: Replies to a login that was refused or is missing (RFC 4954): about our settings, not about the mail.
LOGIN_REPLIES = frozenset({530, 534, 535, 538})
TOO_LARGE = 552

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


class _UnusableCaFile(OSError):
    """The file of the authorities to trust has none, or cannot be read."""


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

    async def connect(self) -> tuple[asyncio.Transport, Extensions]:
        """Open a connection, encrypted and logged in as wanted, and ask what the server offers.

        The transport is the caller's, who sets its protocol. Raises SMTPException, OSError, ValueError.
        """
        client = await self._connect()
        try:
            if client.is_ehlo_or_helo_needed:
                await _greet(client)
            return _transport_of(client), Extensions.of(client.esmtp_extensions)
        except BaseException:
            drop(client)
            raise

    async def _connect(self) -> SMTP:
        client = SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.tls == "tls",
            start_tls=self.tls == "starttls",
            tls_context=None if self.tls == "none" else self._tls_context,
            username=self.username,
            password=self.password if self.username is not None else None,
            timeout=self.timeout_s,
            local_hostname=local_hostname(),
        )
        await client.connect()
        return client

    async def check(self, sender: str) -> None:
        """Connect, log in, begin a mail from ``sender`` and leave. Raises MailNotSent, with what to do.

        The mail is to ``sender`` itself. That it has no mailbox there is no error.
        """
        try:
            client = await self._connect()
            try:
                await client.mail(sender)
                with suppress(SMTPRecipientRefused):
                    await self._name_recipient(client, Mail(sender, sender, b""))
                await client.rset()
            finally:
                await leave(client)
        except SMTPSenderRefused as exc:
            raise self._sender_refused(sender, Reply(exc.code, exc.message)) from exc
        except (SMTPException, OSError, ValueError) as exc:
            raise self._not_usable(exc, "") from exc

    async def _name_recipient(self, client: SMTP, mail: Mail) -> None:
        """Name the recipient, at which many servers say what they have against the sender or this host."""
        try:
            await client.rcpt(mail.recipient)
        except SMTPRecipientRefused as exc:
            reply = Reply(exc.code, exc.message)
            if (error := self._none_taken(reply, mail)) is not None:
                raise error from exc
            if exc.code in {*LOGIN_REPLIES, CLOSING}:
                raise self._not_usable(exc, "") from exc
            raise

    def __str__(self) -> str:
        return f"The mail server {self.host}:{self.port}"

    @cached_property
    def _tls_context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ValueError) as exc:
            raise _UnusableCaFile(f"no certificate can be read from {self.ca_file}: {exc}") from exc

    def not_connected(self, error: Exception, recipient: str) -> MailNotSent:
        """The error if there is no connection to send the mail on: it is not about the mail."""
        return self._not_usable(error, f" for the mail to {recipient}")

    def _not_usable(self, error: Exception, for_what: str) -> MailNotSent:
        if isinstance(error, SMTPAuthenticationError) and error.code >= 500:
            hint = "check SMTP_USERNAME and SMTP_PASSWORD"
            return MailNotSent(
                f"{self} refused the login of {self.username}: {_reply(error)} ({hint})", error.code
            )
        if isinstance(error, Ended) and error.reply is not None:
            return MailNotSent(f"{self} takes no mail now: {one_line(str(error.reply))}", error.reply.code)
        if isinstance(error, SMTPResponseException):
            return MailNotSent(f"{self} takes no mail now: {_reply(error)}", error.code)
        if isinstance(error, _UnusableCaFile):
            return MailNotSent(f"{self} could not be used{for_what}: {error} (check SMTP_CA_FILE)")
        cause = error.__cause__ or error  # aiosmtplib's own words name the server once more
        reason = str(cause) or str(error) or type(cause).__name__
        about = "SMTP_CA_FILE" if isinstance(cause, ssl.SSLCertVerificationError) else "SMTP_TLS"
        hint = f"check SMTP_HOST, SMTP_PORT and {about}"
        return MailNotSent(f"{self} could not be used{for_what}: {reason} ({hint})")

    def not_taken(self, refused: Refused) -> MailNotSent:
        """The error if the server refused the mail: for good, if the reply is one of the 500s about the mail.

        A refused sender or host is not about the mail but about our account: a quota is used up, a domain
        not confirmed. The exceptions are a mail that is too large (RFC 1870) and, in the reply to the sender,
        one that needs SMTPUTF8.
        """
        mail, reply = refused.submission.mail, refused.reply
        final = reply.code >= 500 and reply.code not in LOGIN_REPLIES
        if reply.code != TOO_LARGE and not (refused.of_sender and mail.needs_smtputf8):
            if (error := self._none_taken(reply, mail)) is not None:
                return error
            if final and refused.of_sender:
                return self._sender_refused(mail.sender, reply)
        kind = MailRefused if final else MailNotSent
        return kind(f"{self} refused the mail to {mail.recipient}: {one_line(str(reply))}", reply.code)

    def _none_taken(self, reply: Reply, mail: Mail) -> MailNotSent | None:
        """The error if the refusal is one of the sender or this host; None if it is about this mail."""
        if is_of_host(reply):
            said = one_line(str(reply))
            hint = "check SMTP_HOST, SMTP_USERNAME and what the server lets this host send"
            return MailNotSent(f"{self} takes no mails of this host: {said} ({hint})", reply.code)
        return self._sender_refused(mail.sender, reply) if is_of_sender(reply, mail) else None

    def _sender_refused(self, sender: str, reply: Reply) -> MailNotSent:
        said = one_line(str(reply))
        return MailNotSent(f"{self} refused the sender {sender}: {said} (check SMTP_SENDER)", reply.code)

    def not_in_time(self, recipient: str, limit_s: float) -> MailNotSent:
        """The error if a mail has taken too long, for whatever reason."""
        text = f"The mail to {recipient} was not sent within {limit_s:g} s"
        hint = "half of SMTP_LEASE_S"
        return MailNotSent(f"{text} by the mail server {self.host}:{self.port} ({hint})")

    def cannot_take(self, mail: Mail) -> MailRefused:
        """The error if the recipient's address is one that the server has no way to name."""
        return MailRefused(
            f"{self} does not offer SMTPUTF8, without which no mail can be sent to {mail.recipient}"
        )


def _transport_of(client: SMTP) -> asyncio.Transport:
    transport = client.transport
    if not isinstance(transport, asyncio.Transport) or transport.is_closing():
        raise ConnectionResetError("It closed the connection")
    return transport


async def _greet(client: SMTP) -> None:
    try:
        await client.ehlo()
    except SMTPHeloError as exc:
        if exc.code == CLOSING:
            raise
        await client.helo()  # a server from before 1995, with no extensions


async def leave(client: SMTP) -> None:
    """Say good-bye and close the connection; a server that does not answer is not waited for long."""
    transport = client.transport
    try:
        with suppress(SMTPException, OSError):
            await client.quit(timeout=QUIT_TIMEOUT_S)
    finally:
        _end(client, transport)


def drop(client: SMTP) -> None:
    """Close the connection at once."""
    _end(client, client.transport)


def _end(client: SMTP, transport: asyncio.BaseTransport | None) -> None:
    client.close()
    # Over TLS, closing is an exchange with the server, and the event loop may end before its answer.
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


@cache  # by default it would be looked up, in a thread, for each connection
def local_hostname() -> str:
    """The name that a mail server gets from us."""
    name = socket.getfqdn()
    # A machine may be named as no host name can be; the server then gets what says nothing (RFC 5321, 4.1.4).
    return name if _HOST_NAME.fullmatch(name) else "[127.0.0.1]"


def _reply(error: SMTPResponseException) -> str:
    return one_line(f"{error.code} {error.message}")
