"""Mails over real SMTP: what arrives, and what is said when nothing does."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import uuid5

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from tasks.mail import Mailer, MailNotSent, compose
from tasks.notices import notice_of
from tasks.notifications import render
from tests.samples import NOON, a_todo, an_event, an_owner

SENDER = "Todo <todo@example.com>"
REFUSED = "nobody@example.com"


class Mailbox:
    """What an SMTP server took; it refuses one recipient."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd calls
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == REFUSED:
            return "550-5.1.1 No such mailbox\r\n550 Ask the postmaster"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 OK"

    @property
    def mails(self) -> list[EmailMessage]:
        return [read(envelope) for envelope in self.envelopes]


def read(envelope: Envelope) -> EmailMessage:
    assert isinstance(envelope.content, bytes)
    return message_from_bytes(envelope.content, policy=default)


@contextmanager
def smtp_server(mailbox: Mailbox, **options: Any) -> Iterator[int]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_password(
    server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword
) -> AuthResult:
    return AuthResult(success=data == LoginPassword(b"todo", b"hunter2"), handled=False)


def send(mailer: Mailer, **todo: Any) -> None:
    event = an_event(todo=a_todo(**todo))
    owner = event.todo.owner
    message = compose(
        render(notice_of(event, id=event.event_id)),
        sender=SENDER,
        recipient=owner,
        message_id="<1@todo-workers>",
        date=NOON,
    )
    asyncio.run(mailer.send(message, sender=SENDER, recipient=owner.email))


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port(mailbox: Mailbox) -> Iterator[int]:
    with smtp_server(mailbox) as port:
        yield port


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def login_port(mailbox: Mailbox, server_tls: ssl.SSLContext) -> Iterator[int]:
    """A server that wants STARTTLS and a login."""
    with smtp_server(
        mailbox,
        tls_context=server_tls,
        require_starttls=True,
        authenticator=check_password,
        auth_required=True,
    ) as port:
        yield port


def test_a_mail_arrives_with_both_parts(mailbox: Mailbox, port: int) -> None:
    send(Mailer("127.0.0.1", port), title="Größe <b>日本語</b>", description=".\n..\n.end\n" + "x" * 2_000)
    (envelope,), (mail,) = mailbox.envelopes, mailbox.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("todo@example.com", ["ana@example.com"])
    assert mail["Subject"] == "New todo: Größe <b>日本語</b>"
    assert mail["To"].addresses[0].display_name == "Ana Petrović"
    assert mail["Message-ID"] == "<1@todo-workers>"
    text, html = mail.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert "\n  .\n  ..\n  .end\n  " + "x" * 2_000 in text.get_content().replace("\r\n", "\n")
    assert "Größe &lt;b&gt;日本語&lt;/b&gt;" in html.get_content()


def test_a_hostile_todo_adds_no_recipient_and_no_header(mailbox: Mailbox, port: int) -> None:
    injection = "x\r\nBcc: eve@example.com\r\n\r\n.\r\nRCPT TO:<eve@example.com>\r\n"
    send(Mailer("127.0.0.1", port), title=injection, description=injection, owner=an_owner(name=injection))
    (envelope,), (mail,) = mailbox.envelopes, mailbox.mails
    assert envelope.rcpt_tos == ["ana@example.com"]
    assert "Bcc" not in mail
    assert mail["Subject"] == "New todo: x Bcc: eve@example.com . RCPT TO:<eve@example.com>"


def test_eight_threads_send_at_once(mailbox: Mailbox, port: int) -> None:
    mailer = Mailer("127.0.0.1", port)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: send(mailer, title=f"Todo {number}"), range(40)))
    assert sorted(mail["Subject"] for mail in mailbox.mails) == sorted(
        f"New todo: Todo {number}" for number in range(40)
    )


def test_starttls_and_login(mailbox: Mailbox, login_port: int, ca_file: Path) -> None:
    send(
        Mailer("127.0.0.1", login_port, tls="starttls", ca_file=ca_file, username="todo", password="hunter2")
    )
    assert len(mailbox.mails) == 1


def test_tls_from_the_first_byte(mailbox: Mailbox, server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with smtp_server(mailbox, ssl_context=server_tls) as port:
        send(Mailer("127.0.0.1", port, tls="tls", ca_file=ca_file))
    assert len(mailbox.mails) == 1


def test_a_certificate_of_an_unknown_authority_is_refused(mailbox: Mailbox, login_port: int) -> None:
    mailer = Mailer("127.0.0.1", login_port, tls="starttls", username="todo", password="hunter2")
    with pytest.raises(MailNotSent, match=r"certificate verify failed.*SMTP_CA_FILE"):
        send(mailer)
    assert not mailbox.mails


def test_starttls_is_never_skipped(mailbox: Mailbox, port: int) -> None:
    with pytest.raises(MailNotSent, match="STARTTLS"):
        send(Mailer("127.0.0.1", port, tls="starttls"))
    assert not mailbox.mails


def test_a_wrong_password_is_said_without_the_password(
    mailbox: Mailbox, login_port: int, ca_file: Path
) -> None:
    mailer = Mailer(
        "127.0.0.1", login_port, tls="starttls", ca_file=ca_file, username="todo", password="hunter3"
    )
    with pytest.raises(MailNotSent) as caught:
        send(mailer)
    assert f"127.0.0.1:{login_port} refused the login of todo: 535" in str(caught.value)
    assert "hunter3" not in str(caught.value)
    assert caught.value.code == 535
    assert not mailbox.mails


def test_a_refused_recipient_is_named_with_the_servers_answer(mailbox: Mailbox, port: int) -> None:
    with pytest.raises(MailNotSent) as caught:
        send(Mailer("127.0.0.1", port), owner=an_owner(email=REFUSED))
    reply = "550 5.1.1 No such mailbox Ask the postmaster"
    assert str(caught.value) == f"The mail server 127.0.0.1:{port} refused the mail to {REFUSED}: {reply}"
    assert caught.value.code == 550
    assert not mailbox.mails


def test_a_server_that_is_down_is_named() -> None:
    port = free_port()
    with pytest.raises(MailNotSent, match=rf"127\.0\.0\.1:{port} .*ana@example\.com.*SMTP_HOST") as caught:
        send(Mailer("127.0.0.1", port))
    assert caught.value.code is None


def test_a_server_that_says_nothing_does_not_hang_the_job() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(MailNotSent, match=rf"127\.0\.0\.1:{port} could not be used"):
            send(Mailer("127.0.0.1", port, timeout_s=0.2))


def test_a_job_that_runs_twice_sends_the_same_message_id(mailbox: Mailbox, port: int, tmp_path: Path) -> None:
    event = an_event()
    code = """if True:
        import json, logging, sys
        from tasks import send_notification
        logging.basicConfig(level=logging.INFO)
        event = json.load(sys.stdin)
        send_notification(event)
        send_notification(event)
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(event.model_dump(mode="json")),
        env={**os.environ, "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = f"<{uuid5(event.event_id, 'send_notification')}@todo-workers>"
    assert [mail["Message-ID"] for mail in mailbox.mails] == [expected, expected]
    assert "mail.sent notice_id=" in done.stderr
