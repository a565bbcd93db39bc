"""A mail as a mail server gets it, and the errors of one that was not taken. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from workers.errors import WorkersError


class MailNotSent(WorkersError):
    """The mail server did not take the mail; it may do so later.

    ``code`` is the server's SMTP reply code; None if it gave none, as when it cannot be reached.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class MailRefused(MailNotSent):
    """The mail server refused the mail for good: it would do so again."""


@dataclass(frozen=True)
class Mail:
    """A mail as the server gets it: bare addresses, and the message with its headers.

    Domains are ASCII (Punycode). If a recipient's part before the @ is not, neither is ``content``, and only
    a server that offers SMTPUTF8 takes the mail.
    """

    sender: str
    recipient: str
    content: bytes

    @property
    def needs_smtputf8(self) -> bool:
        return not self.recipient.isascii()
