"""Mails that are submitted: each is answered once, in order, and what must wait for that waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tasks.smtp.mail import Mail, MailNotSent
from tasks.smtp.mailer import MAILS_PER_CONNECTION, Mailer
from tasks.smtp.pool import Pool
from tests.helpers.mails import MakeMailer, a_mail
from tests.helpers.ports import free_port
from tests.helpers.programs import run_warm
from tests.helpers.scripted_smtp import Fault, ScriptedSmtp
from tests.helpers.waiting import wait_for


class Answers:
    """What became of mails, by name, in the order of the answers; with the thread that told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Exception | None]] = []
        self.threads: set[str] = set()

    def submit(self, mailer: Mailer, name: str, *, hold: bool = False) -> Mail:
        mail = a_mail(content=f"Subject: {name}\r\n".encode())

        def answered(error: Exception | None) -> None:
            self.threads.add(threading.current_thread().name)
            self.told.append((name, error))

        mailer.submit(mail, answered, hold=hold)
        return mail

    @property
    def taken(self) -> list[str]:
        return [name for name, error in self.told if error is None]


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def server() -> Iterator[ScriptedSmtp]:
    with ScriptedSmtp() as server:
        yield server


def names(server: ScriptedSmtp) -> list[str]:
    return [content.decode().removeprefix("Subject: ").strip() for content in server.contents]


def test_it_does_not_block_and_the_mailers_thread_tells(
    make_mailer: MakeMailer, server: ScriptedSmtp, answers: Answers
) -> None:
    mailer = make_mailer(server.port, connections=1)
    server.may_answer.clear()
    for number in range(5):
        answers.submit(mailer, str(number))
    assert answers.told == []
    server.may_answer.set()
    wait_for(lambda: len(answers.told) == 5)
    assert answers.taken == names(server) == ["0", "1", "2", "3", "4"]
    assert answers.threads == {"mailer"}


def test_the_next_envelope_goes_behind_a_content_and_the_next_content_after_its_answer(
    make_mailer: MakeMailer, server: ScriptedSmtp, answers: Answers
) -> None:
    mailer = make_mailer(server.port, connections=1)
    server.may_answer.clear()
    for name in ("one", "two"):
        answers.submit(mailer, name)
    wait_for(lambda: server.contents)
    server.may_answer.set()
    wait_for(lambda: len(answers.taken) == 2)
    verbs = [line[:4] for line in server.heard]
    assert verbs == [b"EHLO", *[b"MAIL", b"RCPT", b"DATA", b"Subj"] * 2]
    # The second envelope did not wait for the first answer: it came with the first content.
    assert server.packets_of(b"MAIL")[1] == server.packets_of(b"Subject: one")[0]


def test_while_a_mail_holds_its_connection_sends_no_other_content(
    make_mailer: MakeMailer, server: ScriptedSmtp, answers: Answers
) -> None:
    mailer = make_mailer(server.port, connections=2)
    held = [answers.submit(mailer, name, hold=True) for name in ("one", "two")]
    wait_for(lambda: len(answers.taken) == 2)
    for name in ("three", "four"):
        answers.submit(mailer, name)
    # Their envelopes go.
    wait_for(lambda: [line[:4] for line in server.heard].count(b"DATA") == 4)
    assert len(server.contents) == 2
    mailer.settled(*held)
    wait_for(lambda: len(answers.taken) == 4)
    assert server.connections == 2


def test_a_connection_that_is_lost_while_it_is_held_lets_no_other_take_its_place(
    make_mailer: MakeMailer, server: ScriptedSmtp, answers: Answers
) -> None:
    mailer = make_mailer(server.port, connections=1)
    held = answers.submit(mailer, "one", hold=True)
    wait_for(lambda: answers.taken)
    server.say(b"421 4.4.2 Bye\r\n")
    answers.submit(mailer, "two")
    answers.submit(mailer, "three")
    wait_for(lambda: server.open == 0)
    assert (server.connections, names(server)) == (1, ["one"])
    mailer.settled(held)
    wait_for(lambda: len(answers.taken) == 3)
    assert server.connections == 2


def test_a_mail_that_is_settled_before_its_answer_holds_nothing(
    make_mailer: MakeMailer, server: ScriptedSmtp, answers: Answers
) -> None:
    # As when the thread that waited for it was told to stop.
    mailer = make_mailer(server.port, connections=1)
    server.may_answer.clear()
    mailer.settled(answers.submit(mailer, "one", hold=True))
    wait_for(lambda: server.contents)
    server.may_answer.set()
    answers.submit(mailer, "two")
    wait_for(lambda: answers.taken == ["one", "two"])


def test_closing_waits_for_no_mail_to_be_settled(
    make_mailer: MakeMailer, server: ScriptedSmtp, answers: Answers
) -> None:
    mailer = make_mailer(server.port)
    held = answers.submit(mailer, "one", hold=True)
    wait_for(lambda: answers.taken)
    mailer.close()
    mailer.settled(held)
    assert server.heard[-1] == b"QUIT"


def test_closing_answers_all_mails_in_hand(
    make_mailer: MakeMailer, server: ScriptedSmtp, answers: Answers
) -> None:
    mailer = make_mailer(server.port, connections=2, limit_s=5)
    server.script["CONTENT"].extend([b"250 OK\r\n", Fault.CLOSE, b"550 5.7.1 Spam\r\n"])
    for number in range(20):
        answers.submit(mailer, str(number))
    mailer.close()
    assert sorted(name for name, _ in answers.told) == sorted(map(str, range(20)))
    assert len(answers.taken) >= 17


def test_mails_to_a_server_that_is_down_are_all_answered(make_mailer: MakeMailer, answers: Answers) -> None:
    mailer = make_mailer(free_port(), connections=2)
    for number in range(20):
        answers.submit(mailer, str(number))
    wait_for(lambda: len(answers.told) == 20)
    assert all(isinstance(error, MailNotSent) for _, error in answers.told)


def test_an_answer_that_cannot_be_heard_takes_no_other_mail_with_it(
    make_mailer: MakeMailer, server: ScriptedSmtp, answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    def deaf(_: Exception | None) -> None:
        raise SystemExit

    mailer = make_mailer(server.port, connections=1)
    mailer.submit(a_mail(), deaf)
    answers.submit(mailer, "two")
    wait_for(lambda: answers.taken)
    assert "mail.answer_failed recipient=ana@example.com" in caplog.text


def test_a_thread_that_dies_answers_its_mails_and_the_next_one_starts_another(
    make_mailer: MakeMailer,
    server: ScriptedSmtp,
    answers: Answers,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    mailer = make_mailer(server.port)
    server.may_answer.clear()
    answers.submit(mailer, "one")
    wait_for(lambda: server.contents)

    def die(*_: object) -> None:
        monkeypatch.undo()
        raise SystemExit

    monkeypatch.setattr(Pool, "_spread", die)
    answers.submit(mailer, "two")
    wait_for(lambda: len(answers.told) == 2)
    assert "mailer.died" in caplog.text
    told = dict(answers.told)
    assert all("thread ended" in str(told[name]) for name in ("one", "two"))
    server.may_answer.set()
    answers.submit(mailer, "three")
    wait_for(lambda: answers.taken == ["three"])
    mailer.close()


def test_it_is_ready_while_few_mails_are_in_hand(
    make_mailer: MakeMailer, server: ScriptedSmtp, answers: Answers
) -> None:
    mailer = make_mailer(server.port, connections=2)
    server.may_answer.clear()
    ready = []
    for number in range(2 * MAILS_PER_CONNECTION):
        ready.append(mailer.is_ready)
        answers.submit(mailer, str(number))
    assert all(ready)
    assert not mailer.is_ready
    server.may_answer.set()
    wait_for(lambda: mailer.is_ready)


def test_a_forked_child_answers_its_own_mails_and_none_of_its_parent() -> None:
    code = """if True:
        import os
        from tasks.smtp.mailer import Mailer
        from tasks.smtp.server import Server
        from tasks.smtp.mail import Mail
        from tests.helpers.scripted_smtp import ScriptedSmtp
        from tests.helpers.waiting import wait_for

        told = []
        with ScriptedSmtp() as server:
            mailer = Mailer(Server("127.0.0.1", server.port), connections=1)
            server.may_answer.clear()
            mailer.submit(Mail("todo@x", "ana@x", b"parent"), told.append)
            wait_for(lambda: server.contents)
            with mailer._lock:  # as another thread may
                child = os.fork()
            if child == 0:
                mailer.send(Mail("todo@x", "ana@x", b"child"))
                os._exit(len(told))
            server.may_answer.set()
            assert os.waitpid(child, 0)[1] == 0
            wait_for(lambda: told == [None])
            mailer.close()
            assert sorted(server.contents) == [b"child", b"parent"], server.contents
            assert told == [None]
    """
    done = run_warm("-c", code)
    assert done.returncode == 0, done.stderr
