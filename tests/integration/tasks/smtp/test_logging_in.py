"""How a connection begins: TLS, login, names; and how the doctor tries all that."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import nullcontext
from pathlib import Path

import pytest

from tasks.smtp.mail import MailNotSent, MailRefused
from tasks.smtp.mailer import Mailer
from tasks.smtp.server import Server, local_hostname
from tests.helpers.mails import SENDER, MakeMailer, send
from tests.helpers.smtp_server import SmtpServer


def test_starttls_and_login(make_mailer: MakeMailer, login_server: SmtpServer, ca_file: Path) -> None:
    mailer = make_mailer(
        login_server.port, tls="starttls", ca_file=ca_file, username="todo", password="hunter2"
    )
    send(mailer)
    send(mailer)
    assert (len(login_server.mails), login_server.connections) == (2, 1)


def test_tls_from_the_first_byte(make_mailer: MakeMailer, server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with SmtpServer(ssl_context=server_tls) as server:
        mailer = make_mailer(server.port, tls="tls", ca_file=ca_file)
        send(mailer)
        send(mailer)
        mailer.close()
        assert (len(server.mails), server.connections) == (2, 1)


def test_a_certificate_of_an_unknown_authority_is_refused(
    make_mailer: MakeMailer, login_server: SmtpServer
) -> None:
    mailer = make_mailer(login_server.port, tls="starttls", username="todo", password="hunter2")
    with pytest.raises(MailNotSent, match=r"certificate verify failed.*SMTP_CA_FILE"):
        send(mailer)
    assert not login_server.mails


@pytest.mark.parametrize("content", [b"", b"no certificate", b"\xff\0", None])
def test_a_file_of_authorities_without_any_is_named(
    make_mailer: MakeMailer, login_server: SmtpServer, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:  # else it has gone since the start
        path.write_bytes(content)
    told = rf"could not be used.*: no certificate can be read from {path}: .* \(check SMTP_CA_FILE\)$"
    with pytest.raises(MailNotSent, match=told):
        send(make_mailer(login_server.port, tls="starttls", ca_file=path))
    with pytest.raises(MailNotSent, match=told):
        asyncio.run(Server("127.0.0.1", login_server.port, "tls", path).check("todo@example.com"))


def test_starttls_is_never_skipped(make_mailer: MakeMailer, server: SmtpServer) -> None:
    with pytest.raises(MailNotSent, match=r"STARTTLS.*check SMTP_HOST, SMTP_PORT and SMTP_TLS"):
        send(make_mailer(server.port, tls="starttls"))
    assert not server.mails


def test_a_wrong_password_is_said_without_the_password(
    make_mailer: MakeMailer, login_server: SmtpServer, ca_file: Path
) -> None:
    mailer = make_mailer(
        login_server.port, tls="starttls", ca_file=ca_file, username="todo", password="hunter3"
    )
    with pytest.raises(MailNotSent) as caught:
        send(mailer)
    assert f"127.0.0.1:{login_server.port} refused the login of todo: 535" in str(caught.value)
    assert "hunter3" not in str(caught.value)
    assert caught.value.code == 535
    assert not isinstance(caught.value, MailRefused)
    assert not login_server.mails


def test_tls_from_the_first_byte_where_there_is_none_is_not_called_a_certificate(
    make_mailer: MakeMailer, server: SmtpServer
) -> None:
    with pytest.raises(MailNotSent, match=r"WRONG_VERSION_NUMBER.*check SMTP_HOST, SMTP_PORT and SMTP_TLS"):
        send(make_mailer(server.port, tls="tls"))


def test_a_login_that_fails_for_now_is_not_called_a_wrong_password(
    make_mailer: MakeMailer, login_server: SmtpServer, ca_file: Path
) -> None:
    login = {"tls": "starttls", "ca_file": ca_file, "username": "todo", "password": "hunter2"}
    login_server.replies["AUTH"].extend(["454 4.7.0 Temporary authentication failure"] * 2)
    with pytest.raises(MailNotSent, match=r"takes no mail now: 454 4\.7\.0 Temporary") as caught:
        send(make_mailer(login_server.port, **login))
    assert caught.value.code == 454


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Server("127.0.0.1", 25, username="todo", password="hunter2"))


def test_a_server_that_names_itself_in_another_encoding_is_used(make_mailer: MakeMailer) -> None:
    with SmtpServer(hostname=b"Gr\xfc\xdf Gott".decode(errors="surrogateescape")) as server:
        send(make_mailer(server.port))
        assert server.count == 1


def test_a_machine_whose_name_is_no_host_name_can_send_mails(
    mailer: Mailer, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: "b\xfcro \udcff")
    local_hostname.cache_clear()
    try:
        send(mailer)
    finally:
        local_hostname.cache_clear()
    assert server.envelopes[0].mail_from == SENDER.address


def test_a_check_begins_a_mail_and_sends_none(server: SmtpServer) -> None:
    target = Server("127.0.0.1", server.port)
    asyncio.run(target.check("todo@example.com"))
    assert (server.senders, server.count) == (["todo@example.com"], 0)
    server.replies["MAIL"].append(b"550 5.7.1 Not yours")
    with pytest.raises(MailNotSent) as caught:
        asyncio.run(target.check("todo@example.com"))
    assert str(caught.value) == (
        f"The mail server 127.0.0.1:{server.port} refused the sender todo@example.com: 550 5.7.1 Not yours "
        "(check SMTP_SENDER)"
    )


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("553 5.7.1 <todo@example.com>: Sender address rejected: not owned by user x", "check SMTP_SENDER"),
        ("450 4.1.8 <todo@example.com>: Sender address rejected: Domain not found", "check SMTP_SENDER"),
        ("554 5.7.1 <todo@example.com>: Relay access denied", "takes no mails of this host: 554"),
        ("530 5.7.0 Authentication required", "takes no mail now: 530"),
        ("550 5.1.1 <todo@example.com>: Recipient address rejected: User unknown", None),
        ("451 4.7.1 Greylisted", None),
    ],
)
def test_a_check_finds_what_is_said_of_the_sender_at_the_recipient(
    server: SmtpServer, reply: str, told: str | None
) -> None:
    server.replies["RCPT"].append(reply)
    with pytest.raises(MailNotSent, match=told) if told else nullcontext():
        asyncio.run(Server("127.0.0.1", server.port).check("todo@example.com"))
    assert server.count == 0
