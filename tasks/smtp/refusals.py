"""Whether a refusal is about the mail, or about its sender or the host that sends it. Pure.

Many servers say what they have against a sender only when they are told the recipient (Postfix, by its
``smtpd_delay_reject``) or once they have the content (Amazon SES, Exchange). They refuse every mail then,
until somebody changes a setting here or there.
"""

from __future__ import annotations

import re

from ..text import one_line
from .mail import Mail
from .replies import Reply

#: How much of a reply is looked at.
_MUCH = 2_000

#: Enhanced codes about the sender or its domain (RFC 3463, 7372, 7505), Gmail's for a quota that is used up
#: (5.4.5), and Exchange's for a sender that the account must not use.
_SENDER_CODES = re.compile(r"([45]\.(1\.[78]|7\.2[0-467]|7\.60|2\.252)|5\.4\.5)(?!\d)")
#: As Postfix, Exim and Amazon SES say it.
_SENDER_WORDS = re.compile(
    r"sender address rejected|sender verify failed|email address is not verified", re.IGNORECASE
)
#: Enhanced codes about the recipient, its mailbox or the content (RFC 3463, 7505), whoever else is named.
_MAIL_CODES = re.compile(r"5\.(1\.([1-6]|10)|2\.\d+|6\.\d+)(?!\d)")
_MAIL_WORDS = re.compile(r"spam|virus|malware")
#: The code of a policy of any kind, be it about the sender or about the mail.
_POLICY_CODE = re.compile(r"5\.7\.1(?!\d)")
#: A host without a name of its own (RFC 7372), as an enhanced code.
_HOST_CODES = re.compile(r"[45]\.7\.25(?!\d)")
#: As Postfix, Exim and Exchange say it: where a login is missing, too, a server relays nothing.
_HOST_WORDS = re.compile(
    r"client host\b.* (blocked|rejected)|helo command rejected"
    r"|relay access denied|relay not permitted|unable to relay",
    re.IGNORECASE,
)


def is_of_sender(reply: Reply, mail: Mail) -> bool:
    """Whether the reply that refuses ``mail``, to whichever command, is about its sender."""
    if _SENDER_CODES.match(reply.text):
        return True
    said = one_line(reply.text, _MUCH)
    if _SENDER_WORDS.search(said):
        return True
    # A refusal for now, as by greylisting, may name the sender only as a part of what comes too soon.
    if reply.code < 500 or not _names(said, mail.sender) or _names(said, mail.recipient):
        return False
    words = said.lower().replace(mail.sender.lower(), "")
    if _POLICY_CODE.match(reply.text) and "sender" not in words:
        return False
    return not (_MAIL_CODES.match(reply.text) or _MAIL_WORDS.search(words))


def is_of_host(reply: Reply) -> bool:
    """Whether a refusal is about the host that sends, or what it may send without a login."""
    return bool(_HOST_CODES.match(reply.text) or _HOST_WORDS.search(one_line(reply.text, _MUCH)))


def _names(said: str, address: str) -> bool:
    pattern = rf"(?<![\w.+-]){re.escape(address)}(?![\w-]|\.\w)"
    return re.search(pattern, said, re.IGNORECASE) is not None
