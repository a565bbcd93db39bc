"""E-mail: how a message is put together. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr, quote
from uuid import UUID

from .events import Owner
from .notifications import Notification
from .text import one_line

# Headers go out as they are encoded below. The policy's own folding (Python 3.11) loses spaces between
# encoded words and the quotes of a display name, so it must not fold them again.
_POLICY = SMTP_POLICY.clone(refold_source="none", cte_type="7bit")

_PLAIN = re.compile(r"[ -~]*")


@dataclass(frozen=True)
class Sender:
    """Who sends the mails, and where a recipient can say that it wants no more of them.

    ``mailbox`` is written like ``Todo <todo@example.com>``. In ``unsubscribe_url``, ``{id}`` stands for the
    notice's id, by which `RecipientStore.unsubscribe` knows its recipient. ``unsubscribe_mailto`` is an
    address; without it, it is the sender's.
    """

    mailbox: str
    unsubscribe_url: str | None = None
    unsubscribe_mailto: str | None = None

    def unsubscribe_headers(self, notice_id: UUID) -> dict[str, str]:
        """Give what a mail program unsubscribes with; one click does where there is a URL (RFC 8058)."""
        address = self.unsubscribe_mailto or parseaddr(self.mailbox)[1]
        mailto = f"<mailto:{address}?subject=unsubscribe%20{notice_id}>"
        if self.unsubscribe_url is None:
            return {"List-Unsubscribe": mailto}
        url = self.unsubscribe_url.replace("{id}", str(notice_id))
        return {
            "List-Unsubscribe": f"<{url}>,\r\n {mailto}",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }


def compose(
    content: Notification, *, sender: Sender, recipient: Owner, notice_id: UUID, date: datetime
) -> EmailMessage:
    """Put together a mail with a text and an HTML part; its Message-ID follows from ``notice_id``.

    Names and subject may hold any characters: they cannot add a header, a line or a recipient.
    """
    message = EmailMessage(policy=_POLICY)
    message.set_raw("From", _mailbox("From", *parseaddr(sender.mailbox)))
    message.set_raw("To", _mailbox("To", recipient.name, recipient.email))
    message.set_raw("Subject", _encoded("Subject", one_line(content.subject)))
    message["Date"] = format_datetime(date)
    message["Message-ID"] = f"<{notice_id}@todo-workers>"
    for name, value in sender.unsubscribe_headers(notice_id).items():
        message.set_raw(name, value)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(content.text)
    message.add_alternative(content.html, subtype="html")
    message["Content-Language"] = content.language
    return message


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
