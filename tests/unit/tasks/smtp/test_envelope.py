"""The commands and the content of a mail, byte by byte."""

from __future__ import annotations

import pytest
from aiosmtplib.protocol import normalize_message_line_endings
from hypothesis import given
from hypothesis import strategies as st

from tasks.smtp.envelope import Extensions, dotted, mail_from, rcpt_to, with_line_ends
from tasks.smtp.mail import Mail, MailRefused

ALL = Extensions(pipelining=True, smtputf8=True, eightbitmime=True, size=True)


def a_mail(recipient: str = "ana@example.com", content: bytes = b"Hello\r\n") -> Mail:
    return Mail("todo@example.com", recipient, content)


@given(st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b".", b"a", b"\xff"])).map(b"".join))
def test_lines_end_as_the_protocol_demands_and_none_is_taken_for_the_end(content: bytes) -> None:
    lines = with_line_ends(content)
    assert lines == normalize_message_line_endings(content)
    on_the_wire = dotted(lines)
    received, end, rest = (b"\r\n" + on_the_wire).partition(b"\r\n.\r\n")
    assert (end, rest) == (b"\r\n.\r\n", b"")
    undotted = received.replace(b"\r\n.", b"\r\n").removeprefix(b"\r\n")
    assert undotted + b"\r\n" == lines


def test_a_mail_says_what_it_needs_of_what_is_offered() -> None:
    assert mail_from(a_mail(), 7, Extensions()) == b"MAIL FROM:<todo@example.com>\r\n"
    assert mail_from(a_mail(), 7, ALL) == b"MAIL FROM:<todo@example.com> SIZE=7\r\n"
    eight_bits = a_mail(content="ä".encode())
    assert mail_from(eight_bits, 2, ALL) == b"MAIL FROM:<todo@example.com> SIZE=2 BODY=8BITMIME\r\n"
    assert mail_from(eight_bits, 2, Extensions()) == b"MAIL FROM:<todo@example.com>\r\n"
    unicode = a_mail("jörg@example.com")
    assert mail_from(unicode, 7, ALL) == b"MAIL FROM:<todo@example.com> SIZE=7 SMTPUTF8 BODY=8BITMIME\r\n"
    assert rcpt_to(unicode) == "RCPT TO:<jörg@example.com>\r\n".encode()


@pytest.mark.parametrize("address", ["a@b>\r\nRCPT TO:<c@d", "a@b> SIZE=1 <", "a\0@b", "a\x7f@b", "a\n@b"])
def test_an_address_can_be_no_command(address: str) -> None:
    with pytest.raises(MailRefused, match="No mail server can be told the address"):
        rcpt_to(a_mail(address))
    with pytest.raises(MailRefused, match="No mail server can be told the address"):
        mail_from(Mail(address, "ana@example.com", b""), 0, Extensions())


def test_the_extensions_are_those_that_the_server_names() -> None:
    assert Extensions.of({"pipelining": "", "size": "1000", "8bitmime": "", "smtputf8": ""}) == ALL
    assert Extensions.of({"help": "", "starttls": ""}) == Extensions()
