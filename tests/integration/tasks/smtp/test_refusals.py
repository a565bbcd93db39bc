"""Refusals of the mail server, and the errors that tell of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.smtp.mail import MailNotSent, MailRefused
from tasks.smtp.mailer import Mailer
from tests.helpers.mails import SENDER, MakeMailer, send
from tests.helpers.samples import an_owner
from tests.helpers.smtp_server import REFUSED, STAGES, SmtpServer


def test_a_refused_recipient_is_named_with_the_servers_answer(mailer: Mailer, server: SmtpServer) -> None:
    with pytest.raises(MailRefused) as caught:
        send(mailer, owner=an_owner(email=REFUSED))
    reply = "550 5.1.1 No such mailbox Ask the postmaster"
    assert (
        str(caught.value) == f"The mail server 127.0.0.1:{server.port} refused the mail to {REFUSED}: {reply}"
    )
    assert caught.value.code == 550
    send(mailer)  # the connection is still good
    assert (len(server.mails), server.connections) == (1, 1)


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "CONTENT"])
@pytest.mark.parametrize(
    ("reply", "is_final"),
    [
        ("451 4.3.0 Try again later", False),
        ("452 4.2.2 Mailbox full", False),
        ("530 5.7.0 Authentication required", False),
        ("550 5.7.1 Spam", True),
        ("554 5.6.0 No", True),
    ],
)
def test_what_may_pass_is_told_from_what_will_not(
    mailer: Mailer, server: SmtpServer, command: str, reply: str, is_final: bool
) -> None:
    send(mailer)
    server.replies[command].append(reply)
    with pytest.raises(MailNotSent, match=reply) as caught:
        send(mailer)
    # A sender that is refused is not about the mail.
    assert isinstance(caught.value, MailRefused) is (is_final and command != "MAIL")
    send(mailer)
    assert (len(server.mails), server.connections) == (2, 1)


def test_a_refused_sender_says_what_to_check_and_is_tried_again(mailer: Mailer, server: SmtpServer) -> None:
    server.replies["MAIL"].append("550 5.4.5 Daily sending limit exceeded")
    with pytest.raises(MailNotSent) as caught:
        send(mailer)
    assert str(caught.value) == (
        f"The mail server 127.0.0.1:{server.port} refused the sender {SENDER.address}: "
        "550 5.4.5 Daily sending limit exceeded (check SMTP_SENDER)"
    )
    assert (type(caught.value), caught.value.code) == (MailNotSent, 550)
    assert not mailer.is_ready
    send(mailer)
    assert mailer.is_ready


#: Refusals of the sender as servers write them to any command, by whose they are.
OF_SENDER = {
    "postfix-login": "553 5.7.1 <todo@example.com>: Sender address rejected: not owned by user x",
    "postfix-domain": "550 5.1.8 <todo@example.com>: Sender address rejected: Domain not found",
    "ses": "554 Message rejected: Email address is not verified. The following identities failed the check "
    "in region EU-WEST-1: todo@example.com, ana@example.com",
    "exchange": "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    "gmail": "550 5.4.5 Daily user sending limit exceeded",
    "exim": "550-Verification failed for <todo@example.com>\r\n550 Sender verify failed",
    "policy": "550 5.7.1 todo@example.com: sender not allowed here",
    "other": "550 Nobody here may write as TODO@example.com.",
}
#: Refusals of the host.
OF_HOST = {
    "blocked": "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example.org",
    "rejected": "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied",
    "relay": "554 5.7.1 <ana@example.com>: Relay access denied",
    "no-name": "550 5.7.25 The address has no PTR record",
}


@pytest.mark.parametrize("command", ["RCPT", "CONTENT"])
@pytest.mark.parametrize("refusal", [*OF_SENDER, *OF_HOST])
def test_a_sender_or_host_that_is_refused_late_is_tried_again(
    mailer: Mailer, server: SmtpServer, command: str, refusal: str
) -> None:
    server.replies[command].append(OF_SENDER.get(refusal) or OF_HOST[refusal])
    told = "refused the sender todo@example.com: 55.*check SMTP_SENDER"
    with pytest.raises(
        MailNotSent, match=told if refusal in OF_SENDER else "takes no mails of this host: 55"
    ) as caught:
        send(mailer)
    assert type(caught.value) is MailNotSent
    send(mailer)
    assert server.count == 1


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 <ana@example.com>: Recipient address rejected: User unknown",
        "550 5.7.1 ana@example.com takes no mails of todo@example.com",
        "554 5.7.1 Spam of nottodo@example.com and todo@example.com.invalid",
        "554 5.1.71 No such code",
        "550 5.1.1 no mailbox Ana; from todo@example.com",
        "550 5.1.10 Ana is not here; sender todo@example.com",
        "550 5.2.2 mailbox full; sender todo@example.com",
        "552-5.2.3 Too much\r\n552 5.2.3 from todo@example.com",
        "554 5.6.0 The content that todo@example.com sends is broken",
        "550 5.7.1 Message from todo@example.com looks like spam",
        "554 5.7.1 The sender todo@example.com has a virus",
        "554 5.7.1 No more of todo@example.com",
        "550 Spam of todo@example.com",
    ],
)
def test_a_refusal_that_is_about_the_mail_is_for_good(mailer: Mailer, server: SmtpServer, reply: str) -> None:
    server.replies["RCPT"].append(reply)
    with pytest.raises(MailRefused, match=r"refused the mail to ana@example\.com: 55"):
        send(mailer)


def test_a_route_that_is_congested_is_not_the_senders(mailer: Mailer, server: SmtpServer) -> None:
    server.replies["RCPT"].append("451 4.4.5 Mail system congestion")
    with pytest.raises(MailNotSent, match=r"refused the mail to ana@example\.com: 451 4\.4\.5"):
        send(mailer)


def test_a_mail_that_is_too_large_is_refused_for_good(mailer: Mailer, server: SmtpServer) -> None:
    server.replies["MAIL"].append("552 5.3.4 Message size exceeds fixed limit")
    with pytest.raises(MailRefused, match=r"refused the mail to ana@example\.com: 552"):
        send(mailer)
    server.replies["MAIL"].append("552 5.3.4 <todo@example.com>: Message size exceeds fixed limit")
    with pytest.raises(MailRefused, match="refused the mail to"):
        send(mailer)


def test_a_server_that_wants_no_mail_with_smtputf8_refuses_it_for_good(make_mailer: MakeMailer) -> None:
    with SmtpServer(enable_SMTPUTF8=True) as server:
        server.replies["MAIL"].append("553 5.6.7 Non-ASCII addresses not permitted")
        with pytest.raises(MailRefused, match=r"refused the mail to jörg@example\.com: 553"):
            send(make_mailer(server.port), owner=an_owner(email="jörg@example.com"))


#: A refusal as servers write it that do not speak UTF-8, and as it is told.
IN_OTHER_ENCODINGS = {
    "latin-1": ("Empf\xe4nger unbekannt".encode("latin-1"), r"Empf\xe4nger unbekannt"),
    "gbk": ("用户不存在".encode("gbk"), r"\xd3û\xa7\xb2\xbb\xb4\xe6\xd4\xda"),  # two of the bytes are UTF-8
    "shift-jis": ("宛先".encode("shift-jis"), r"\x88\xb6\x90\xe6"),
    "utf-8": ("Empf\xe4nger".encode(), "Empf\xe4nger"),
    "nothing": (b"\0\x1b\xff", r"\xff"),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("encoding", IN_OTHER_ENCODINGS)
def test_a_reply_in_any_encoding_is_told_as_plain_text(
    make_mailer: MakeMailer, login_server: SmtpServer, ca_file: Path, stage: str, encoding: str
) -> None:
    login = {"tls": "starttls", "ca_file": ca_file, "username": "todo", "password": "hunter2"}
    mailer = make_mailer(login_server.port, **login)
    said, told = IN_OTHER_ENCODINGS[encoding]
    code = {"GREETING": 554, "AUTH": 535}.get(stage, 550)
    tries = 2 if stage == "AUTH" else 1  # both ways to log in are tried
    login_server.replies[stage].extend([b"%d-5.1.1 %b\r\n%d %b" % (code, said, code, said)] * tries)
    with pytest.raises(MailNotSent) as caught:
        send(mailer)
    assert f"{code} 5.1.1 {told} {told}" in str(caught.value)
    assert caught.value.code == code
    assert str(caught.value).encode().decode().isprintable()
    assert isinstance(caught.value, MailRefused) is (code == 550 and stage != "MAIL")
    send(mailer)
    assert login_server.count == 1


def test_a_recipient_that_is_not_ascii_is_mailed_where_the_server_offers_smtputf8(
    make_mailer: MakeMailer,
) -> None:
    with SmtpServer(enable_SMTPUTF8=True) as server:
        mailer = make_mailer(server.port)
        send(mailer, owner=an_owner(name="Jörg", email="jörg@müller.example"))
        send(mailer)
        unicode, plain = server.envelopes
        assert (unicode.rcpt_tos, unicode.smtp_utf8) == (["jörg@xn--mller-kva.example"], True)
        assert server.mails[0]["To"] == "Jörg <jörg@xn--mller-kva.example>"
        assert "SMTPUTF8" not in plain.mail_options
        assert server.connections == 1


def test_a_recipient_that_is_not_ascii_is_refused_where_the_server_does_not(
    mailer: Mailer, server: SmtpServer
) -> None:
    for _ in range(2):  # over a new connection, and over a kept one
        with pytest.raises(
            MailRefused, match=r"does not offer SMTPUTF8, without which .* to jörg@example\.com"
        ):
            send(mailer, owner=an_owner(email="jörg@example.com"))
        send(mailer)
    assert (server.count, server.connections) == (2, 1)


@pytest.mark.parametrize("address", ["ana@corp.local", "ana@localhost", "ana@example.test"])
def test_addresses_of_intranets_and_tests_are_mailed(
    mailer: Mailer, server: SmtpServer, address: str
) -> None:
    send(mailer, owner=an_owner(email=address))
    assert server.envelopes[0].rcpt_tos == [address]


@pytest.mark.parametrize("command", ["DATA", "CONTENT"])
def test_a_mail_that_is_refused_leaves_the_connection_ready_for_the_next(
    mailer: Mailer, server: SmtpServer, command: str
) -> None:
    server.replies[command].append("451 4.3.0 Try again later")
    with pytest.raises(MailNotSent, match=r"451 4\.3\.0"):
        send(mailer, title="Refused")
    send(mailer, title="Taken")
    assert [mail["Subject"] for mail in server.mails] == ["New todo: Taken"]
    assert server.connections == 1
