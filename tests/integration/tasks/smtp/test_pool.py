"""Mails over real SMTP: what arrives, over how many connections, and what is said when nothing does."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import AuthResult, LoginPassword

from tasks.notifications.mail_message import Sender, compose
from tasks.notifications.notice import notice_of
from tasks.notifications.rendering import render
from tasks.smtp.mail import Mail, MailNotSent, MailRefused
from tasks.smtp.mailer import Mailer
from tasks.smtp.server import Server, local_hostname
from tests.helpers.programs import Done, run_python
from tests.helpers.samples import NOON, a_todo, an_event, an_owner
from tests.helpers.smtp_server import REFUSED, STAGES, SmtpServer, free_port
from tests.helpers.waiting import wait_for

SENDER = Sender("Todo <todo@example.com>")

#: Makes a mailer; the test closes it.
MakeMailer = Callable[..., Mailer]


def check_password(
    server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword
) -> AuthResult:
    return AuthResult(success=data == LoginPassword(b"todo", b"hunter2"), handled=False)


def send(mailer: Mailer, **todo: Any) -> None:
    event = an_event(todo=a_todo(**todo))
    owner = event.todo.owner
    content = render(notice_of(event, id=event.event_id))
    message = compose(content, sender=SENDER, recipient=owner, notice_id=event.event_id, date=NOON)
    mailer.send(Mail(SENDER.address, owner.email, message))


def hold_mails(server: SmtpServer) -> tuple[threading.Event, threading.Event]:
    """Have the server take no mail before the second event is set; the first tells that it has one."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: EmailMessage) -> None:
        begun.set()
        go_on.wait(10)

    server.on_content = hold
    return begun, go_on


@pytest.fixture
def make_mailer() -> Iterator[MakeMailer]:
    made: list[Mailer] = []

    def make(
        port: int, *, connections: int = 4, idle_s: float = 30, limit_s: float = 30, **login: Any
    ) -> Mailer:
        server = Server("127.0.0.1", port, **login)
        made.append(Mailer(server, connections=connections, idle_s=idle_s, limit_s=limit_s))
        return made[-1]

    yield make
    for mailer in made:
        mailer.close()


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def mailer(make_mailer: MakeMailer, server: SmtpServer) -> Mailer:
    return make_mailer(server.port)


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
def login_server(server_tls: ssl.SSLContext) -> Iterator[SmtpServer]:
    """A server that wants STARTTLS and a login."""
    options = {"tls_context": server_tls, "require_starttls": True}
    with SmtpServer(**options, authenticator=check_password, auth_required=True) as server:
        yield server


def test_a_mail_arrives_with_both_parts(mailer: Mailer, server: SmtpServer) -> None:
    send(mailer, title="Größe <b>日本語</b>", description=".\n..\n.end\n" + "x" * 2_000)
    (envelope,), (mail,) = server.envelopes, server.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("todo@example.com", ["ana@example.com"])
    assert mail["Subject"] == "New todo: Größe <b>日本語</b>"
    assert mail["To"].addresses[0].display_name == "Ana Petrović"
    text, html = mail.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert "\n  .\n  ..\n  .end\n  " + "x" * 2_000 in text.get_content().replace("\r\n", "\n")
    assert "Größe &lt;b&gt;日本語&lt;/b&gt;" in html.get_content()


def test_a_hostile_todo_adds_no_recipient_and_no_header(mailer: Mailer, server: SmtpServer) -> None:
    injection = "x\r\nBcc: eve@example.com\r\n\r\n.\r\nRCPT TO:<eve@example.com>\r\n"
    send(mailer, title=injection, description=injection, owner=an_owner(name=injection))
    (envelope,), (mail,) = server.envelopes, server.mails
    assert envelope.rcpt_tos == ["ana@example.com"]
    assert "Bcc" not in mail
    assert mail["Subject"] == "New todo: x Bcc: eve@example.com . RCPT TO:<eve@example.com>"


def test_a_connection_is_used_again(mailer: Mailer, server: SmtpServer) -> None:
    for number in range(10):
        send(mailer, title=f"Todo {number}")
    assert len(server.mails) == 10
    assert server.connections == 1


def test_many_threads_share_few_connections(make_mailer: MakeMailer, server: SmtpServer) -> None:
    mailer = make_mailer(server.port, connections=3)
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda number: send(mailer, title=f"Todo {number}"), range(60)))
    assert sorted(mail["Subject"] for mail in server.mails) == sorted(
        f"New todo: Todo {number}" for number in range(60)
    )
    assert server.connections <= 3


def test_it_is_ready_while_a_connection_is_free(make_mailer: MakeMailer, server: SmtpServer) -> None:
    mailer = make_mailer(server.port, connections=1)
    ready = [mailer.is_ready]
    begun, go_on = hold_mails(server)
    with ThreadPoolExecutor(1) as threads:
        sent = threads.submit(send, mailer)
        assert begun.wait(10)
        ready.append(mailer.is_ready)
        go_on.set()
        sent.result(10)
    assert [*ready, mailer.is_ready] == [True, False, True]


def test_it_is_not_ready_after_a_mail_that_did_not_go_out(mailer: Mailer, server: SmtpServer) -> None:
    server.replies["RCPT"] += ["450 Later", "550 Never"]
    with pytest.raises(MailNotSent):
        send(mailer)
    ready = [mailer.is_ready]
    # What the server refuses for good is about that mail: the server itself is well.
    with pytest.raises(MailRefused):
        send(mailer)
    assert [*ready, mailer.is_ready] == [False, True]


def test_an_idle_connection_is_closed(make_mailer: MakeMailer, server: SmtpServer) -> None:
    mailer = make_mailer(server.port, idle_s=0.05)
    send(mailer)
    wait_for(lambda: server.open == 0)
    send(mailer)
    assert (len(server.mails), server.connections) == (2, 2)


def test_closing_takes_leave_and_a_later_mail_starts_again(mailer: Mailer, server: SmtpServer) -> None:
    send(mailer)
    threads = threading.active_count()
    mailer.close()
    assert threading.active_count() == threads - 1
    wait_for(lambda: server.open == 0)
    send(mailer)
    assert (len(server.mails), server.connections) == (2, 2)


def test_mails_in_hand_are_sent_before_it_closes(make_mailer: MakeMailer, server: SmtpServer) -> None:
    mailer = make_mailer(server.port, connections=1)
    begun, go_on = hold_mails(server)
    with ThreadPoolExecutor(2) as threads:
        sent = threads.submit(send, mailer)
        assert begun.wait(10)
        closed = threads.submit(mailer.close)
        go_on.set()
        sent.result(10)
        closed.result(10)
    assert len(server.mails) == 1


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
def test_a_kept_connection_that_the_server_gives_up_is_replaced(
    mailer: Mailer, server: SmtpServer, command: str
) -> None:
    send(mailer)
    server.replies[command].append("421 4.3.2 Service shutting down")
    send(mailer)
    assert (len(server.mails), server.connections) == (2, 2)


def test_dropped_connections_are_replaced(make_mailer: MakeMailer, server: SmtpServer) -> None:
    mailer = make_mailer(server.port, connections=4)
    for _ in range(5):
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: send(mailer), range(8)))
        server.drop_connections()
    assert len(server.mails) == 40


def test_a_server_that_restarts_is_used_again(mailer: Mailer, server: SmtpServer) -> None:
    send(mailer)
    server.stop()
    with pytest.raises(MailNotSent, match="SMTP_HOST"):
        send(mailer)
    server.start()
    send(mailer)
    assert len(server.mails) == 2


def test_a_kept_connection_that_says_nothing_is_replaced(make_mailer: MakeMailer) -> None:
    # A firewall that forgot the connection: nothing comes back, not even that it is closed.
    with SmtpServer() as server:
        mailer = make_mailer(server.port, timeout_s=1)
        send(mailer)
        server.mute.add("MAIL")
        send(mailer)
        assert (len(server.mails), server.connections) == (2, 2)


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


def test_starttls_is_never_skipped(make_mailer: MakeMailer, server: SmtpServer) -> None:
    with pytest.raises(MailNotSent, match="STARTTLS"):
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


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Server("127.0.0.1", 25, username="todo", password="hunter2"))


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
    assert isinstance(caught.value, MailRefused) is is_final
    send(mailer)
    assert (len(server.mails), server.connections) == (2, 1)


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
    assert isinstance(caught.value, MailRefused) is (code == 550)
    send(mailer)
    assert login_server.count == 1


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


def test_a_connection_that_is_lost_after_the_content_is_not_tried_again(
    mailer: Mailer, server: SmtpServer
) -> None:
    # Nobody can know whether the server took it: whoever asked decides.
    server.drop_after_content = True
    with pytest.raises(MailNotSent):
        send(mailer)
    assert len(server.mails) == 1
    server.drop_after_content = False
    send(mailer)
    assert len(server.mails) == 2


def test_a_server_that_is_down_is_named(make_mailer: MakeMailer) -> None:
    port = free_port()
    with pytest.raises(MailNotSent, match=rf"127\.0\.0\.1:{port} .*ana@example\.com.*SMTP_HOST") as caught:
        send(make_mailer(port))
    assert caught.value.code is None


def test_a_server_that_says_nothing_does_not_hang_the_job(make_mailer: MakeMailer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(MailNotSent, match=rf"127\.0\.0\.1:{port} could not be used"):
            send(make_mailer(port, timeout_s=0.2))
        with pytest.raises(MailNotSent, match=r"was not sent within 0\.2 s"):
            send(make_mailer(port, limit_s=0.2))


def test_each_process_of_a_fork_has_its_own_connections(server: SmtpServer, tmp_path: Path) -> None:
    code = """if True:
        import json, os, sys
        from tasks import send_notification
        first, second, third = json.load(sys.stdin)
        send_notification(first)
        child = os.fork()
        if child == 0:
            send_notification(second)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        send_notification(third)
    """
    events = [an_event() for _ in range(3)]
    done = run(code, [event.model_dump(mode="json") for event in events], server.port, tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(server.mails) == 3
    assert server.connections == 2


def run(code: str, data: Any, port: int, folder: Path) -> Done:
    env = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port)}
    return run_python("-c", code, env=env, stdin=json.dumps(data), folder=folder)
