"""The message of a mail: its headers, its text and its HTML as MIME. Pure.

The few lines of MIME are our own: email.message parses and folds every header again, which took three times
as long as rendering the mail.
"""

from __future__ import annotations

import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parseaddr, quote
from functools import cached_property, lru_cache
from uuid import UUID

from ..events.todos import Owner
from ..text import one_line
from .rendering import RenderedNotice
from .unsubscribe_links import signed

#: The boundary between the parts of every mail. No quoted-printable line can contain it.
_BOUNDARY = "=_todo-workers"

#: Longest line that has an encoded word (RFC 2047).
_MAX_ENCODED_LINE = 76

_PLAIN = re.compile(r"[ -~]*")


@dataclass(frozen=True)
class Sender:
    """The sender of all mails, and where recipients unsubscribe.

    ``mailbox`` is written like ``Todo <todo@example.com>``. In ``unsubscribe_url``, ``{id}`` stands for the
    notice's id, from which `RecipientStore.unsubscribe` knows the recipient; with an ``unsubscribe_secret``,
    for what `unsubscribe_links.signed` makes of it. ``unsubscribe_mailto`` is an address, by default the
    sender's.
    """

    mailbox: str
    unsubscribe_url: str | None = None
    unsubscribe_mailto: str | None = None
    unsubscribe_secret: str | None = field(default=None, repr=False)

    @cached_property
    def address(self) -> str:
        """The bare address."""
        return self.name_and_address[1]

    @cached_property
    def name_and_address(self) -> tuple[str, str]:
        return parseaddr(self.mailbox)

    def unsubscribe_headers(self, notice_id: UUID) -> dict[str, str]:
        """The headers by which mail programs unsubscribe: with one click if there is a URL (RFC 8058)."""
        address = self.unsubscribe_mailto or self.address
        mailto = f"<mailto:{address}?subject=unsubscribe%20{notice_id}>"
        if self.unsubscribe_url is None:
            return {"List-Unsubscribe": mailto}
        secret = self.unsubscribe_secret
        shown = str(notice_id) if secret is None else signed(notice_id, secret)
        url = self.unsubscribe_url.replace("{id}", shown)
        return {
            "List-Unsubscribe": f"<{url}>,\r\n {mailto}",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }


def compose(
    content: RenderedNotice, *, sender: Sender, recipient: Owner, notice_id: UUID, date: datetime
) -> bytes:
    """Make a mail with a text and an HTML part; its Message-ID follows from ``notice_id``.

    Names and subject may contain any characters: they cannot add a header, a line or a recipient. The result
    is ASCII, but for a recipient's address that is not (RFC 6532), and its lines end in CRLF.
    """
    headers = {
        "From": _mailbox("From", *sender.name_and_address),
        "To": _mailbox("To", recipient.name, recipient.email),
        "Subject": _encoded("Subject", one_line(content.subject)),
        "Date": _date(date.astimezone(UTC).replace(microsecond=0)),
        "Message-ID": f"<{notice_id}@todo-workers>",
        **sender.unsubscribe_headers(notice_id),
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="{_BOUNDARY}"',
        "Content-Language": content.language,
    }
    parts = [_part(headers, b""), _text_part("plain", content.text), _text_part("html", content.html)]
    return f"\r\n--{_BOUNDARY}\r\n".encode().join(parts) + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _text_part(subtype: str, text: str) -> bytes:
    headers = {
        "Content-Type": f'text/{subtype}; charset="utf-8"',
        "Content-Transfer-Encoding": "quoted-printable",
    }
    lines = b"\r\n".join([*text.encode().splitlines(), b""])
    return _part(headers, b2a_qp(lines, istext=True))


def _part(headers: Mapping[str, str], body: bytes) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return head.encode() + b"\r\n" + body


#: The Date header; the mails of a batch have the same.
_date = lru_cache(maxsize=8)(format_datetime)


@lru_cache(maxsize=1_000)  # the sender's is in every mail, and a recipient gets several
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
    return "\r\n ".join(_encoded_words(text.encode(), len(header) + 2))


def _encoded_words(data: bytes, column: int) -> Iterator[str]:
    """Encoded words (RFC 2047), each for a line of its own; the first one begins at ``column``."""
    while data:
        length = (_MAX_ENCODED_LINE - column - len("=?utf-8?b??=")) // 4 * 3
        # No character may be cut in two: a byte that goes on with one begins with 10 in binary.
        while length < len(data) and data[length] & 0xC0 == 0x80:
            length -= 1
        yield f"=?utf-8?b?{b2a_base64(data[:length], newline=False).decode()}?="
        data, column = data[length:], 1


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and "=?" not in text
