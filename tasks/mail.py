"""E-mail: how a message is put together (pure) and how it is handed to an SMTP server."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr, quote
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from workers.errors import WorkersError

from .events import Owner
from .notifications import Notification
from .text import one_line

# Headers go out as they are encoded below. The policy's own folding (Python 3.11) loses spaces between
# encoded words and the quotes of a display name, so it must not fold them again.
_POLICY = SMTP_POLICY.clone(refold_source="none", cte_type="7bit")

_PLAIN = re.compile(r"[ -~]*")


class MailNotSent(WorkersError):
    """The mail server did not take the mail.

    ``code`` is the server's SMTP reply code; None where it gave none, as when it cannot be reached.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


def compose(
    content: Notification, *, sender: str, recipient: Owner, message_id: str, date: datetime
) -> EmailMessage:
    """Put together a mail with a text and an HTML part.

    ``sender`` is written like ``Todo <todo@example.com>``. Names and subject may hold any characters: they
    cannot add a header, a line or a recipient.
    """
    message = EmailMessage(policy=_POLICY)
    message.set_raw("From", _mailbox("From", *parseaddr(sender)))
    message.set_raw("To", _mailbox("To", recipient.name, recipient.email))
    message.set_raw("Subject", _encoded("Subject", one_line(content.subject)))
    message["Date"] = format_datetime(date)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(content.text)
    message.add_alternative(content.html, subtype="html")
    return message


@dataclass(frozen=True)
class Mailer:
    """Hands mails to one SMTP server, on a connection of its own for each. Any thread may use it."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"] = "none"
    ca_file: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0

    async def send(self, message: EmailMessage, *, sender: str, recipient: str) -> None:
        """Return when the server has accepted ``message`` for the one address ``recipient``.

        Raises:
            MailNotSent: it did not; the text names the server, the recipient and the server's answer.
        """
        try:
            async with self._connection() as client:
                await client.sendmail(parseaddr(sender)[1], recipient, message.as_bytes())
        except (SMTPException, OSError, ValueError) as exc:
            raise self._explained(exc, recipient) from exc

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[SMTP]:
        client = SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.tls == "tls",
            start_tls=self.tls == "starttls",
            tls_context=None if self.tls == "none" else self._tls_context,
            timeout=self.timeout_s,
            local_hostname=_local_hostname(),
        )
        await client.connect()
        transport = client.transport
        assert isinstance(transport, asyncio.WriteTransport)
        try:
            if self.username is not None:
                await client.login(self.username, self.password or "")
            yield client
            with suppress(SMTPException, OSError):  # the mail is accepted, whatever comes now
                await client.quit()
        finally:
            client.close()
            # Over TLS, closing is an exchange with the server, and the event loop may end before its answer.
            transport.abort()

    @cached_property
    def _tls_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    def _explained(self, error: Exception, recipient: str) -> MailNotSent:
        server = f"The mail server {self.host}:{self.port}"
        refused = f"{server} refused the mail to {recipient}"
        if isinstance(error, SMTPRecipientsRefused):
            error = error.recipients[0]
        if isinstance(error, SMTPAuthenticationError):
            hint = "check SMTP_USERNAME and SMTP_PASSWORD"
            refused = f"{server} refused the login of {self.username}"
            return MailNotSent(f"{refused}: {_reply(error)} ({hint})", error.code)
        if isinstance(error, SMTPResponseException):
            return MailNotSent(f"{refused}: {_reply(error)}", error.code)
        cause = error.__cause__ or error  # aiosmtplib's own words name the server once more
        reason = str(cause) or type(cause).__name__
        hint = f"check SMTP_HOST, SMTP_PORT and {'SMTP_TLS' if self.tls == 'none' else 'SMTP_CA_FILE'}"
        return MailNotSent(f"{server} could not be used for the mail to {recipient}: {reason} ({hint})")


@cache  # by default it would be looked up, in a thread, for each mail
def _local_hostname() -> str:
    return socket.getfqdn()


def _reply(error: SMTPResponseException) -> str:
    return one_line(f"{error.code} {error.message}")


def _mailbox(header: str, name: str, address: str) -> str:
    name = one_line(name, 100)
    if not name:
        return address
    if _is_plain(name):
        return f'"{quote(name)}" <{address}>'
    return f"{_encoded(header, name)}\r\n <{address}>"


def _encoded(header: str, text: str) -> str:
    if _is_plain(text) and len(header) + len(text) < 76:
        return text
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and "=?" not in text
