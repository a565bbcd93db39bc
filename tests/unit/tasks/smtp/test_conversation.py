"""The conversation with a mail server, and the meaning of its replies: no sockets, no time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.smtp.conversation import Conversation, Left, Refused, Taken
from tasks.smtp.envelope import Extensions
from tasks.smtp.mail import Mail
from tasks.smtp.replies import Ended, Reply
from tasks.smtp.submission import Submission

PIPELINING = Extensions(pipelining=True)
ENVELOPE = [b"MAIL FROM:<todo@example.com>", b"RCPT TO:<ana@example.com>", b"DATA"]


def a_mail(name: str = "mail", *, hold: bool = False) -> Submission:
    return Submission(Mail("todo@example.com", "ana@example.com", name.encode()), print, hold)


class Talk(Conversation):
    """With what was said so far cut into lines, and replies as text."""

    def said(self) -> list[bytes]:
        return self.to_write().split(b"\r\n")[:-1]

    def hears(self, *replies: str) -> list[Taken | Refused]:
        return list(self.receive("".join(f"{reply}\r\n" for reply in replies).encode()))


@pytest.fixture
def talk() -> Talk:
    return Talk(PIPELINING)


def test_an_envelope_goes_at_once_and_the_content_after_its_354(talk: Talk) -> None:
    mail = a_mail("one")
    talk.begin(mail)
    assert talk.said() == ENVELOPE
    assert talk.hears("250 OK", "250 OK") == []
    assert talk.said() == []
    assert talk.hears("354 Go on") == []
    assert talk.said() == [b"one", b"."]
    assert talk.hears("250 Taken") == [Taken(mail)]
    assert talk.is_idle
    assert not talk.is_waiting


def test_without_pipelining_each_command_waits() -> None:
    talk, mail = Talk(Extensions()), a_mail("one")
    talk.begin(mail)
    assert talk.said() == ENVELOPE[:1]
    talk.hears("250 OK")
    assert talk.said() == ENVELOPE[1:2]
    talk.hears("250 OK")
    assert talk.said() == ENVELOPE[2:]
    talk.hears("354 Go on")
    assert talk.said() == [b"one", b"."]
    assert not talk.is_free
    assert talk.hears("250 Taken") == [Taken(mail)]
    assert talk.is_free


def test_the_next_envelope_goes_behind_a_content_and_its_content_after_the_answer(talk: Talk) -> None:
    one, two = a_mail("one"), a_mail("two")
    talk.begin(one)
    talk.hears("250", "250", "354")
    talk.begin(two)
    assert talk.said() == [*ENVELOPE, b"one", b".", *ENVELOPE]
    assert not talk.is_free
    heard = talk.receive(b"250 Taken\r\n250\r\n250\r\n354\r\n")
    assert next(heard) == Taken(one)
    assert talk.said() == []  # before the answer is handed over
    assert list(heard) == []
    assert talk.said() == [b"two", b"."]
    assert talk.is_free


@pytest.mark.parametrize("offered", [PIPELINING, Extensions()])
def test_while_a_mail_holds_the_next_envelope_goes_and_no_content(offered: Extensions) -> None:
    talk, mail = Talk(offered), a_mail(hold=True)
    talk.begin(mail)
    assert talk.hears("250", "250", "354", "250 Taken") == [Taken(mail)]
    assert talk.is_held
    assert not talk.is_idle
    talk.said()
    talk.begin(a_mail("two"))
    assert talk.hears("250", "250", "354") == []
    assert talk.said() == ENVELOPE
    talk.settle()
    assert talk.said() == [b"two", b"."]


@pytest.mark.parametrize("offered", [PIPELINING, Extensions()])
@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("code", [451, 550])
def test_a_refused_envelope_is_undone_and_the_connection_good(
    offered: Extensions, at: int, code: int
) -> None:
    accepted = ["250 OK", "250 OK", "354 Go on"]
    refusal = f"{code} Refused"
    replies = [*accepted[:at], refusal, *["503 Bad sequence"] * (2 - at if offered.pipelining else 0)]
    talk, mail = Talk(offered), a_mail()
    talk.begin(mail)
    assert talk.hears(*replies) == [Refused(mail, Reply(code, "Refused"), of_sender=at == 0)]
    assert talk.said()[-1] == b"RSET"
    assert talk.is_idle
    talk.begin(a_mail("two"))
    talk.hears("250 Reset", *accepted)
    assert talk.said()[-2:] == [b"two", b"."]


@pytest.mark.parametrize(
    "replies", [["354 Go on"], ["250", "354 Go on"], ["250", "250", "250 OK"], ["250 Hello?", "250", "250"]]
)
def test_a_server_that_is_out_of_step_is_left_before_it_gets_a_content(
    talk: Talk, replies: list[str]
) -> None:
    mail = a_mail()
    talk.begin(mail)
    talk.said()
    with pytest.raises(Ended, match="It answered"):
        talk.hears(*replies)
    assert talk.said() == []
    assert talk.left().unsent is mail


def test_all_replies_to_a_group_are_read_before_a_refusal_counts(talk: Talk) -> None:
    talk.begin(a_mail())
    assert talk.hears("250 OK", "550 No such user") == []
    assert len(talk.hears("554 No valid recipients")) == 1


def test_where_data_is_accepted_without_a_recipient_the_content_ends_at_once(talk: Talk) -> None:
    mail = a_mail("one")
    talk.begin(mail)
    talk.said()
    assert talk.hears("250 OK", "550 No such user", "354 Go on") == [
        Refused(mail, Reply(550, "No such user"))
    ]
    assert talk.said() == [b".", b"RSET"]
    assert talk.hears("554 No recipients", "250 OK") == []
    assert talk.is_idle
    assert not talk.is_waiting


def test_nothing_is_sent_to_a_recipient_of_a_refused_sender(talk: Talk) -> None:
    # A lone end of a content would be an empty mail.
    mail = a_mail("one")
    talk.begin(mail)
    talk.said()
    with pytest.raises(Ended, match="550 Not you"):
        talk.hears("550 Not you", "250 OK", "354 Go on")
    assert talk.said() == []
    assert talk.left() == Left(unknown=None, unsent=mail, is_first=True)


def test_a_refused_content_does_not_undo_the_next_envelope(talk: Talk) -> None:
    one, two = a_mail("one"), a_mail("two")
    talk.begin(one)
    talk.hears("250", "250", "354")
    talk.begin(two)
    talk.said()
    assert talk.hears("554 Spam", "250", "250", "354") == [Refused(one, Reply(554, "Spam"))]
    assert talk.said() == [b"two", b"."]
    assert talk.hears("250 Taken") == [Taken(two)]


def test_after_a_refused_content_alone_the_connection_begins_anew(talk: Talk) -> None:
    talk.begin(a_mail())
    talk.hears("250", "250", "354", "554 Spam")
    assert talk.said()[-1] == b"RSET"
    with pytest.raises(Ended, match="refused to begin anew"):
        talk.hears("500 What?")


GOOD = ["250 OK", "250 OK", "354 Go on", "250 Taken"]


@pytest.mark.parametrize("at", range(4))
def test_a_good_bye_tells_for_each_mail_whether_the_server_may_have_it(talk: Talk, at: int) -> None:
    mail = a_mail()
    talk.begin(mail)
    talk.hears(*GOOD[:at])
    heard = talk.receive(b"421 4.3.2 Shutting down\r\n")
    if at == 3:
        assert next(heard) == Refused(mail, Reply(421, "4.3.2 Shutting down"))
    with pytest.raises(Ended) as caught:
        next(heard)
    assert caught.value.reply == Reply(421, "4.3.2 Shutting down")
    assert talk.left() == Left(unknown=None, unsent=None if at == 3 else mail, is_first=at < 3)


def test_a_connection_that_is_lost_tells_what_nobody_knows_and_what_was_not_sent(talk: Talk) -> None:
    one, two = a_mail("one"), a_mail("two")
    talk.begin(one)
    assert talk.left() == Left(unknown=None, unsent=one, is_first=True)
    talk.hears("250", "250", "354")
    talk.begin(two)
    assert talk.left() == Left(unknown=one, unsent=two, is_first=False)


def test_a_refusal_that_is_known_counts_when_the_server_leaves_behind_it(talk: Talk) -> None:
    mail = a_mail()
    talk.begin(mail)
    heard = talk.receive(b"250 OK\r\n550 No such user\r\n421 Too many errors\r\n")
    assert next(heard) == Refused(mail, Reply(550, "No such user"))
    with pytest.raises(Ended):
        next(heard)
    assert talk.left() == Left(None, None, is_first=False)


@pytest.mark.parametrize("reply", ["250 Hello?", "421 Bye", "nonsense"])
def test_what_comes_unasked_ends_the_connection(talk: Talk, reply: str) -> None:
    with pytest.raises(Ended):
        talk.hears(reply)


def test_a_mail_that_is_answered_with_a_question_is_of_unknown_fate(talk: Talk) -> None:
    mail = a_mail()
    talk.begin(mail)
    with pytest.raises(Ended, match="354 More"):
        talk.hears("250", "250", "354", "354 More")
    assert talk.left().unknown is mail


def test_a_mail_that_is_withdrawn_is_never_sent_and_the_one_before_is_answered(talk: Talk) -> None:
    one, two = a_mail("one"), a_mail("two")
    talk.begin(one)
    assert not talk.withdraw(one)
    talk.hears("250", "250", "354")
    talk.begin(two)
    assert not talk.withdraw(one)
    assert talk.withdraw(two)
    talk.said()
    heard: Iterator[Taken | Refused] = talk.receive(b"250 Taken\r\n250\r\n250\r\n354\r\n")
    assert next(heard) == Taken(one)
    with pytest.raises(Ended, match="withdrawn"):
        next(heard)
    assert talk.said() == []
    assert talk.left() == Left(None, None, is_first=False)


def test_nothing_begins_after_the_good_bye(talk: Talk) -> None:
    talk.leave()
    assert talk.said() == [b"QUIT"]
    assert not talk.is_free
