"""Mails over real SMTP: what arrives, from which threads and processes, over how many connections."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tasks.smtp.mail import MailNotSent, MailRefused
from tasks.smtp.mailer import Mailer
from tests.helpers.mails import MakeMailer, hold_mails, send
from tests.helpers.programs import Done, run_warm
from tests.helpers.samples import an_event, an_owner
from tests.helpers.smtp_server import SmtpServer
from tests.helpers.waiting import wait_for


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


def test_it_is_ready_while_few_mails_are_in_hand(
    make_mailer: MakeMailer, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.smtp.mailer.MAILS_PER_CONNECTION", 1)
    mailer = make_mailer(server.port, connections=1)
    ready = [mailer.is_ready]
    begun, go_on = hold_mails(server)
    with ThreadPoolExecutor(1) as threads:
        sent = threads.submit(send, mailer)
        assert begun.wait(30)
        ready.append(mailer.is_ready)
        go_on.set()
        sent.result(30)
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
    before = set(threading.enumerate())
    send(mailer)
    (started,) = [each for each in set(threading.enumerate()) - before if each.name == "mailer"]
    mailer.close()
    assert not started.is_alive()
    wait_for(lambda: server.open == 0)
    send(mailer)
    assert (len(server.mails), server.connections) == (2, 2)


def test_mails_in_hand_are_sent_before_it_closes(make_mailer: MakeMailer, server: SmtpServer) -> None:
    mailer = make_mailer(server.port, connections=1)
    begun, go_on = hold_mails(server)
    with ThreadPoolExecutor(2) as threads:
        sent = threads.submit(send, mailer)
        assert begun.wait(30)
        closed = threads.submit(mailer.close)
        go_on.set()
        sent.result(30)
        closed.result(30)
    assert len(server.mails) == 1


def test_each_process_of_a_fork_has_its_own_connections(tmp_path: Path) -> None:
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
    with SmtpServer() as server:
        done = run(code, [event.model_dump(mode="json") for event in events], server.port, tmp_path)
        assert done.returncode == 0, done.stderr
        assert (len(server.mails), server.connections) == (3, 2)


def run(code: str, data: Any, port: int, folder: Path) -> Done:
    env = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port)}
    return run_warm("-c", code, env=env, stdin=json.dumps(data), folder=folder)
