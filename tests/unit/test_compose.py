"""How a mail is put together: what was put in is what a mail program reads, and nothing else."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from email.utils import parseaddr, parsedate_to_datetime

from hypothesis import given
from hypothesis import strategies as st

from tasks.mail import Mailer, compose
from tasks.notifications import Notification
from tasks.text import one_line
from tests.samples import NOON, an_owner

HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=180)


def composed(
    subject: str = "Hello", name: str = "Ana", text: str = "text\n", html: str = "<p>html</p>\n"
) -> bytes:
    message = compose(
        Notification(subject=subject, text=text, html=html),
        sender="Todo Größe <todo@example.com>",
        recipient=an_owner(name=name),
        message_id="<1@todo-workers>",
        date=NOON,
    )
    return message.as_bytes()


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


def test_the_other_headers() -> None:
    message = message_from_bytes(composed(), policy=default)
    assert message["From"].addresses[0].display_name == "Todo Größe"
    assert message["From"].addresses[0].addr_spec == "todo@example.com"
    assert message["Message-ID"] == "<1@todo-workers>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(message["Date"]) == NOON


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Mailer("127.0.0.1", 25, username="todo", password="hunter2"))
