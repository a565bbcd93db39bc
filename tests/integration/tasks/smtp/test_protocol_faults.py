"""Servers that break off, break the protocol or take their time, at every point of it."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue

import pytest

from tasks.smtp.mail import MailNotSent, MailRefused
from tasks.smtp.replies import MAX_REPLY_BYTES
from tests.helpers.mails import MakeMailer, a_mail, send
from tests.helpers.scripted_smtp import STAGES, Fault, ScriptedSmtp
from tests.helpers.waiting import wait_for

BOTH = pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "one-by-one"])

#: The stages before the content is sent.
BEFORE = STAGES[2:5]

#: What ends a connection, and what is said of it.
ENDS: dict[str, tuple[bytes | Fault, str]] = {
    "close": (Fault.CLOSE, "losed|onnection lost|EOF"),
    "silence": (Fault.SILENCE, "did not answer in time|[Tt]imed out|was not sent within 2 s"),
    "good-bye": (b"421 4.3.2 Shutting down\r\n", r"421 4\.3\.2 Shutting down"),
    "nonsense": (b"HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400"),
    "too-long": (b"250-" + b"x" * MAX_REPLY_BYTES + b"\r\n", "more than|too long|onnection lost"),
}
KINDS = pytest.mark.parametrize("kind", ENDS)


def timeout_s(kind: str) -> float:
    return 2.0 if kind == "silence" else 10.0


def limit_s(kind: str, stage: str) -> float:
    """Only the limit of the mail ends the wait for the answer to a content."""
    return 2.0 if (kind, stage) == ("silence", "CONTENT") else 30.0


@KINDS
@pytest.mark.parametrize(
    ("stage", "pipelining"), [*((stage, True) for stage in STAGES), *((stage, False) for stage in BEFORE)]
)
def test_a_new_connection_that_ends_fails_its_mail_and_not_the_next(
    make_mailer: MakeMailer, stage: str, kind: str, pipelining: bool
) -> None:
    fault, told = ENDS[kind]
    with ScriptedSmtp(pipelining=pipelining) as server:
        mailer = make_mailer(server.port, timeout_s=timeout_s(kind), limit_s=limit_s(kind, stage))
        server.script[stage].append(fault)
        with pytest.raises(MailNotSent, match=told) as caught:
            send(mailer)
        assert not isinstance(caught.value, MailRefused)
        if kind == "good-bye":
            assert caught.value.code == 421
        assert f"he mail server 127.0.0.1:{server.port}" in str(caught.value)
        send(mailer)
        assert len(server.contents) == (2 if stage == "CONTENT" else 1)
        assert server.connections == 2


@BOTH
@KINDS
@pytest.mark.parametrize("stage", BEFORE)
def test_a_kept_connection_that_ends_before_the_content_is_replaced(
    make_mailer: MakeMailer, stage: str, kind: str, pipelining: bool
) -> None:
    with ScriptedSmtp(pipelining=pipelining) as server:
        mailer = make_mailer(server.port, timeout_s=timeout_s(kind))
        send(mailer)
        server.script[stage].append(ENDS[kind][0])
        send(mailer)
        assert (len(server.contents), server.connections) == (2, 2)


@KINDS
def test_a_content_without_an_answer_is_not_sent_again(make_mailer: MakeMailer, kind: str) -> None:
    with ScriptedSmtp() as server:
        mailer = make_mailer(server.port, timeout_s=timeout_s(kind), limit_s=limit_s(kind, "CONTENT"))
        send(mailer)
        server.script["CONTENT"].append(ENDS[kind][0])
        with pytest.raises(MailNotSent):
            send(mailer)
        assert len(server.contents) == 2


@BOTH
def test_a_server_that_is_slow_to_take_a_content_is_waited_for(
    make_mailer: MakeMailer, pipelining: bool
) -> None:
    with ScriptedSmtp(pipelining=pipelining) as server:
        mailer = make_mailer(server.port, connections=1, timeout_s=2)
        sent: SimpleQueue[Exception | None] = SimpleQueue()
        server.may_answer.clear()
        for _ in range(2):  # the second one's envelope may go out behind the first one's content
            mailer.submit(a_mail(), sent.put)
        wait_for(lambda: server.contents)
        with pytest.raises(Empty):  # it is to outlast the time for any other answer
            sent.get(timeout=2.5)
        server.may_answer.set()
        assert [sent.get(timeout=10), sent.get(timeout=10)] == [None, None]
        assert (len(server.contents), server.connections) == (2, 1)


@BOTH
@pytest.mark.parametrize("packet_bytes", [0, 1, 3])
def test_replies_may_come_in_any_packets(
    make_mailer: MakeMailer, packet_bytes: int, pipelining: bool
) -> None:
    with ScriptedSmtp(pipelining=pipelining, packet_bytes=packet_bytes) as server:
        mailer = make_mailer(server.port)
        server.script["RCPT"].append(b"550-5.1.1 Nobody\r\n550-of that\r\n550 name\r\n")
        with pytest.raises(MailRefused, match=r"550 5\.1\.1 Nobody of that name"):
            send(mailer)
        for _ in range(3):
            send(mailer)
        assert (len(server.contents), server.connections) == (3 + pipelining, 1)


def test_where_data_is_accepted_without_a_recipient_the_content_ends_at_once(make_mailer: MakeMailer) -> None:
    with ScriptedSmtp() as server:
        mailer = make_mailer(server.port)
        server.script["RCPT"].append(b"550 5.1.1 Nobody\r\n")
        server.script["CONTENT"].append(b"554 5.5.1 No recipients\r\n")
        with pytest.raises(MailRefused, match=r"550 5\.1\.1 Nobody"):
            send(mailer)
        wait_for(lambda: server.heard[-1] == b"RSET")
        assert server.contents == [b""]
        send(mailer)
        assert server.connections == 1


def test_an_accepted_recipient_of_a_refused_sender_gets_no_empty_mail(make_mailer: MakeMailer) -> None:
    with ScriptedSmtp() as server:
        server.script["MAIL"].append(b"550 5.7.1 Not you\r\n")
        with pytest.raises(MailNotSent, match=r"550 5\.7\.1 Not you"):
            send(make_mailer(server.port))
        assert server.contents == []


@pytest.mark.parametrize("words", [b"421 4.4.2 Idle for too long\r\n", b"250 Hello?\r\n", b"\0\r\n"])
def test_a_connection_on_which_something_comes_unasked_is_not_used(
    make_mailer: MakeMailer, words: bytes
) -> None:
    with ScriptedSmtp() as server:
        mailer = make_mailer(server.port)
        send(mailer)
        server.say(words)
        send(mailer)
        assert len(server.contents) == 2
        assert server.connections <= 2


def test_a_connection_that_does_not_begin_anew_is_replaced(make_mailer: MakeMailer) -> None:
    with ScriptedSmtp() as server:
        mailer = make_mailer(server.port)
        server.script["CONTENT"].append(b"451 4.3.0 Later\r\n")
        server.script["RSET"].append(b"500 What?\r\n")
        with pytest.raises(MailNotSent, match=r"451 4\.3\.0 Later"):
            send(mailer)
        send(mailer)
        assert (len(server.contents), server.connections) == (2, 2)


def test_greylisting_lets_the_same_mail_pass_later(make_mailer: MakeMailer) -> None:
    with ScriptedSmtp() as server:
        mailer = make_mailer(server.port)
        server.script["RCPT"].append(b"451 4.7.1 Greylisted, try again in 300 s\r\n")
        server.script["DATA"].append(b"554 5.5.1 No valid recipients\r\n")
        with pytest.raises(MailNotSent, match=r"451 4\.7\.1 Greylisted") as caught:
            send(mailer)
        assert caught.value.code == 451
        assert not isinstance(caught.value, MailRefused)
        ready = [mailer.is_ready]
        send(mailer)
        assert [*ready, mailer.is_ready] == [False, True]
        assert (len(server.contents), server.connections) == (1, 1)


def test_a_server_from_before_the_extensions_is_greeted_as_it_was_then(make_mailer: MakeMailer) -> None:
    with ScriptedSmtp() as server:
        server.script["EHLO"].append(b"502 5.5.2 Command not recognized\r\n")
        mailer = make_mailer(server.port)
        send(mailer)
        send(mailer)
        assert [line[:4] for line in server.heard[:3]] == [b"EHLO", b"HELO", b"MAIL"]
        assert (len(server.contents), server.connections) == (2, 1)


@BOTH
def test_a_mail_takes_no_longer_than_its_limit_however_the_server_dawdles(
    make_mailer: MakeMailer, pipelining: bool
) -> None:
    """One that goes on answering keeps within the time for each step, and must not for all of them."""
    with ScriptedSmtp(pipelining=pipelining) as server:
        mailer = make_mailer(server.port, connections=1, timeout_s=10, limit_s=2)
        server.may_answer.clear()
        begun = time.monotonic()
        with pytest.raises(MailNotSent, match=r"was not sent within 2 s"):
            send(mailer)
        assert time.monotonic() - begun < 9  # before the time for the step is up
        server.may_answer.set()
        send(mailer)
        assert server.connections == 2


def test_an_address_that_would_be_a_command_is_refused_and_the_connection_used(
    make_mailer: MakeMailer,
) -> None:
    with ScriptedSmtp() as server:
        mailer = make_mailer(server.port)
        for _ in range(2):
            with pytest.raises(MailRefused, match="No mail server can be told"):
                mailer.send(a_mail("ana@example.com>\r\nRCPT TO:<eve@example.com"))
            mailer.send(a_mail())
        assert not any(b"eve" in line for line in server.heard)
        assert (len(server.contents), server.connections) == (2, 1)
