"""The commands and the content of a mail, as the server gets them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .mail import Mail, MailRefused

_NOT_IN_ADDRESSES = re.compile(r"[\x00-\x1f\x7f<>]")

DATA = b"DATA\r\n"
RESET = b"RSET\r\n"
QUIT = b"QUIT\r\n"
#: How long the server may take to answer a good-bye.
QUIT_TIMEOUT_S = 1.0
#: The end of a content; alone, a content of nothing (RFC 2920, 3.1).
END = b".\r\n"


@dataclass(frozen=True)
class Extensions:
    """The extensions of SMTP that a server offers."""

    pipelining: bool = False
    smtputf8: bool = False
    eightbitmime: bool = False
    size: bool = False

    @classmethod
    def of(cls, offered: Mapping[str, object]) -> Extensions:
        """Take them from the keywords of an answer to EHLO, in lower case."""
        return cls(**{name: keyword in offered for name, keyword in _KEYWORDS.items()})


_KEYWORDS = {
    "pipelining": "pipelining",
    "smtputf8": "smtputf8",
    "eightbitmime": "8bitmime",
    "size": "size",
}


def mail_from(mail: Mail, size: int, offered: Extensions) -> bytes:
    """The command that begins ``mail`` of ``size`` bytes. Raises MailRefused for an address that is none."""
    parameters = f" SIZE={size}" if offered.size else ""
    if mail.needs_smtputf8:
        parameters += " SMTPUTF8"
    if offered.eightbitmime and (mail.needs_smtputf8 or not mail.content.isascii()):
        parameters += " BODY=8BITMIME"
    return f"MAIL FROM:<{_checked(mail.sender)}>{parameters}\r\n".encode()


def rcpt_to(mail: Mail) -> bytes:
    """The command that names the recipient. Raises MailRefused as :func:`mail_from` does."""
    return f"RCPT TO:<{_checked(mail.recipient)}>\r\n".encode()


def with_line_ends(content: bytes) -> bytes:
    """``content`` with CRLF at the end of each line, the last one too; nothing else may be sent."""
    return b"\r\n".join(content.splitlines()) + b"\r\n"


def dotted(content: bytes) -> bytes:
    """``content`` and its end, so that no line within is taken for the end (RFC 5321, 4.5.2)."""
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    first = b"." if content.startswith(b".") else b""
    return first + content + END


def _checked(address: str) -> str:
    if _NOT_IN_ADDRESSES.search(address):
        raise MailRefused(
            f"No mail server can be told the address {address!r}: it has characters of commands"
        )
    return address
