"""Servers that go away, at any point, or say nothing."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.smtp.mail import MailNotSent
from tasks.smtp.mailer import Mailer
from tests.helpers.mails import MakeMailer, a_mail, send
from tests.helpers.ports import free_port
from tests.helpers.smtp_server import SmtpServer
from tests.helpers.waiting import wait_for


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


def test_a_server_that_takes_few_connections_gets_all_mails_over_these(
    make_mailer: MakeMailer, server: SmtpServer
) -> None:
    server.most = 2
    mailer = make_mailer(server.port, connections=4)
    answers: list[Exception | None] = []
    for _ in range(60):
        mailer.submit(a_mail(), answers.append)
    wait_for(lambda: len(answers) == 60)
    assert set(answers) == {None}
    assert (server.count, mailer.is_ready) == (60, True)
    assert server.connections <= 4  # those that were tried at first, and none since
    server.drop_connections()
    wait_for(lambda: not server.open)
    mailer.submit(a_mail(), answers.append)
    wait_for(lambda: len(answers) == 61)
    assert answers[-1] is None
