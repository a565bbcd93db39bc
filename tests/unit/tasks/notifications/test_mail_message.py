"""How a mail is put together: what was put in is what a mail program reads, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from email.utils import parseaddr, parsedate_to_datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tasks.notifications.mail_message import Sender, compose
from tasks.notifications.rendering import RenderedNotice
from tasks.notifications.unsubscribe_links import signed
from tasks.text import one_line
from tests.helpers.samples import NOON, an_owner

NOTICE = UUID("0d5c3c3a-5a68-4b6c-9d3b-0c9f1f2d7a11")
SENDER = Sender("Todo Größe <todo@example.com>")
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "List-Unsubscribe",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
    "Content-Language",
]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=180)


def composed(
    subject: str = "Hello",
    name: str = "Ana",
    text: str = "text\n",
    html: str = "<p>html</p>\n",
    sender: Sender = SENDER,
) -> bytes:
    return compose(
        RenderedNotice(subject=subject, text=text, html=html),
        sender=sender,
        recipient=an_owner(name=name),
        notice_id=NOTICE,
        date=NOON,
    )


def read(raw: object) -> str:
    # The older reader: the newer one adds and loses spaces between encoded words.
    return str(make_header(decode_header(str(raw).replace("\r\n", ""))))


@given(subject=texts, name=texts.filter(lambda text: bool(one_line(text))))
def test_subject_and_name_are_read_as_they_were_written(subject: str, name: str) -> None:
    message = message_from_bytes(composed(subject, name))
    assert read(message["Subject"]) == one_line(subject)
    shown_name, address = parseaddr(str(message["To"]).replace("\r\n", ""))
    assert address == "ana@example.com"
    assert read(shown_name) == one_line(name, 100)


@given(subject=texts, name=texts.filter(lambda text: bool(one_line(text))))
def test_no_text_can_add_a_header_or_a_recipient(subject: str, name: str) -> None:
    content = composed(subject, name)
    message = message_from_bytes(content, policy=default)
    assert message.keys() == HEADERS
    assert [address.addr_spec for address in message["To"].addresses] == ["ana@example.com"]
    head = content.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    assert max(map(len, head.split(b"\r\n"))) <= 300


@given(text=texts.map(lambda text: text.replace("\r", "") + "\n"))
def test_both_parts_arrive_as_they_were_written(text: str) -> None:
    content = composed(text=text, html=f"<p>{text}")
    assert content.isascii()
    assert not re.search(rb"[^\r]\n|[^\n]{999}", content)
    message = message_from_bytes(content, policy=default)
    parts = [part.get_content().replace("\r\n", "\n") for part in message.iter_parts()]
    assert parts == [text, f"<p>{text}"]
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_a_mail_has_sender_id_date_and_says_that_it_is_automatic() -> None:
    message = message_from_bytes(composed(), policy=default)
    assert message["From"].addresses[0].display_name == "Todo Größe"
    assert message["From"].addresses[0].addr_spec == "todo@example.com"
    assert message["Message-ID"] == f"<{NOTICE}@todo-workers>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(message["Date"]) == NOON


def test_a_mail_says_how_to_unsubscribe() -> None:
    message = message_from_bytes(composed(), policy=default)
    assert message["List-Unsubscribe"] == f"<mailto:todo@example.com?subject=unsubscribe%20{NOTICE}>"
    assert "List-Unsubscribe-Post" not in message


def test_one_click_unsubscribes_where_there_is_a_page() -> None:
    sender = replace(
        SENDER, unsubscribe_url="https://t.example/u/{id}?a=b", unsubscribe_mailto="no@t.example"
    )
    message = message_from_bytes(composed(sender=sender), policy=default)
    mailto = f"<mailto:no@t.example?subject=unsubscribe%20{NOTICE}>"
    assert message["List-Unsubscribe"] == f"<https://t.example/u/{NOTICE}?a=b>, {mailto}"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_with_a_secret_the_link_is_signed() -> None:
    sender = replace(SENDER, unsubscribe_url="https://t.example/u/{id}", unsubscribe_secret="s" * 32)
    link = f"<https://t.example/u/{signed(NOTICE, 's' * 32)}>"
    assert message_from_bytes(composed(sender=sender))["List-Unsubscribe"].startswith(link)
    assert "s" * 32 not in repr(sender)
