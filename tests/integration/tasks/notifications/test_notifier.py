"""One mail for each notice, whatever its jobs, its workers, the mail server and the database go through."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from uuid import uuid4

import pytest

from tasks.notifications.delivery_store import DeliveryBusy, DeliveryState, DeliveryStore, deliveries
from tasks.notifications.languages import language_for
from tasks.notifications.mail_message import Sender
from tasks.notifications.notice import Notice, RenderError
from tasks.notifications.notifier import DeliveryOutcome, Notifier
from tasks.notifications.quiet_hours import QuietHours
from tasks.notifications.recipients import EVERY_KIND, RecipientStore
from tasks.notifications.rendering import sample_values
from tasks.notifications.template_environment import environment_for
from tasks.retry_policy import is_permanent
from tasks.smtp.mail import MailNotSent, MailRefused
from tasks.smtp.mailer import Mailer
from tasks.smtp.server import Server
from tasks.storage.database import Database
from tasks.storage.engine import DatabaseError, DatabaseUnavailable
from tests.helpers.samples import an_owner
from tests.helpers.smtp_server import REFUSED, SmtpServer
from tests.helpers.waiting import wait_for
from tests.helpers.warm import WarmProcess

T = TypeVar("T")

#: A notice, when quiet hours end, and when its job comes.
Postponed: TypeAlias = tuple[Notice, datetime, datetime]

#: Midnight in Berlin is at 22:00 UTC.
NIGHT = datetime(2026, 6, 1, 23, 30, tzinfo=UTC)
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MORNING = datetime(2026, 6, 2, 5, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
QUIET = QuietHours(time(22), time(7))


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def a_notice(kind: str = "todo_created", *, urgent: bool = False, **owner: Any) -> Notice:
    return Notice(
        id=uuid4(), kind=kind, recipient=an_owner(**owner), values=sample_values(kind), urgent=urgent
    )


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def mailer(server: SmtpServer) -> Iterator[Mailer]:
    mailer = Mailer(Server("127.0.0.1", server.port))
    yield mailer
    mailer.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def postponed() -> list[Postponed]:
    return []


@pytest.fixture
def notifier(database: Database, mailer: Mailer, clock: Clock, postponed: list[Postponed]) -> Notifier:
    return Notifier(
        DeliveryStore(database),
        RecipientStore(database),
        mailer,
        Sender("Todo <todo@example.com>"),
        postpone=lambda notice, until, at: postponed.append((notice, until, at)),
        lease=LEASE,
        clock=clock,
    )


def state(notifier: Notifier, notice: Notice) -> str | None:
    row = notifier.deliveries.find(notice.id)
    return row.state if row else None


def test_a_job_that_runs_twice_sends_once(notifier: Notifier, server: SmtpServer) -> None:
    notice = a_notice()
    assert notifier.deliver(notice) is DeliveryOutcome.SENT
    assert notifier.deliver(notice) is DeliveryOutcome.DONE_BEFORE
    (mail,) = server.mails
    assert mail["Message-ID"] == f"<{notice.id}@todo-workers>"
    row = notifier.deliveries.find(notice.id)
    assert row is not None
    assert (row.state, row.attempts, row.until, row.error) == (DeliveryState.SENT, 1, None, None)
    assert row.claim, "who has sent it"
    assert (row.kind, row.recipient, row.updated_at) == ("todo_created", "ana@example.com", NOON)


def test_workers_that_have_the_same_notice_at_once_send_once(
    notifier: Notifier, server: SmtpServer, database_url: str
) -> None:
    databases = [Database(database_url) for _ in range(4)]
    notifiers = [replace(notifier, deliveries=DeliveryStore(each)) for each in databases for _ in range(2)]
    notices = [a_notice() for _ in range(10)]
    start = threading.Barrier(len(notifiers))

    def work(own: Notifier) -> list[str]:
        start.wait(30)
        return [outcome_of(own, notice) for notice in notices]

    with ThreadPoolExecutor(len(notifiers)) as threads:
        outcomes = list(threads.map(work, notifiers))
    assert sorted(mail["Message-ID"] for mail in server.mails) == sorted(
        f"<{notice.id}@todo-workers>" for notice in notices
    )
    assert sum(outcome == DeliveryOutcome.SENT for each in outcomes for outcome in each) == len(notices)
    for each in databases:
        each.dispose()


def outcome_of(notifier: Notifier, notice: Notice) -> str:
    try:
        return notifier.deliver(notice)
    except DeliveryBusy:
        return "busy"


def test_what_a_live_worker_has_in_hand_is_tried_again_when_its_claim_ends(
    notifier: Notifier, server: SmtpServer, clock: Clock
) -> None:
    notice = a_notice()
    token = notifier.deliveries.claim(notice, now=NOON, lease=LEASE)
    assert token
    clock.now = NOON + timedelta(seconds=20)
    with pytest.raises(DeliveryBusy, match=str(notice.id)) as caught:
        notifier.deliver(notice)
    assert caught.value.delay == 41_000
    assert not is_permanent(caught.value)
    assert notifier.deliveries.settle(notice, token, now=clock.now)
    assert notifier.deliver(notice) is DeliveryOutcome.DONE_BEFORE
    assert not server.mails


def test_the_claim_of_a_worker_that_died_is_taken_over_when_it_ends(
    notifier: Notifier, server: SmtpServer, clock: Clock
) -> None:
    notice = a_notice()
    token = notifier.deliveries.claim(notice, now=NOON, lease=LEASE)
    assert token
    clock.now = NOON + LEASE
    assert notifier.deliver(notice) is DeliveryOutcome.SENT
    assert len(server.mails) == 1
    # Had it only been slow, it would be told.
    assert not notifier.deliveries.settle(notice, token, now=clock.now)
    row = notifier.deliveries.find(notice.id)
    assert row is not None
    assert row.attempts == 2


def test_threads_that_share_a_transaction_learn_each_what_became_of_its_own(
    notifier: Notifier, clock: Clock
) -> None:
    store = notifier.deliveries
    taken, sent, *free = (a_notice() for _ in range(6))
    assert store.claim(taken, now=NOON, lease=LEASE)
    token = store.claim(sent, now=NOON, lease=LEASE)
    assert token
    assert store.settle(sent, token, now=NOON)
    wanted = [taken, sent, *free] * 3

    def claim(notice: Notice) -> str | None:
        try:
            return store.claim(notice, now=NOON, lease=LEASE)
        except DeliveryBusy:
            return "busy"

    with ThreadPoolExecutor(len(wanted)) as threads:
        claims = list(zip(wanted, at_once(threads, claim, wanted), strict=True))
        assert [claim for notice, claim in claims if notice is taken] == ["busy"] * 3
        assert [claim for notice, claim in claims if notice is sent] == [None] * 3
        tokens = {notice.id: claim for notice, claim in claims if claim not in {None, "busy"}}
        assert tokens.keys() == {notice.id for notice in free}
        assert len([claim for _, claim in claims if claim == "busy"]) == 3 + 2 * len(free)
        # The claims of half of them end, and others take them over.
        for notice in free[:2]:
            assert store.claim(notice, now=NOON + LEASE, lease=LEASE)

        def settle(notice: Notice) -> bool:
            return store.settle(notice, str(tokens[notice.id]), now=NOON)

        assert list(at_once(threads, settle, free)) == [False, False, True, True]
    states = [row.state for row in map(store.find, [n.id for n in free]) if row]
    assert states == [DeliveryState.SENDING, DeliveryState.SENDING, DeliveryState.SENT, DeliveryState.SENT]


def at_once(threads: ThreadPoolExecutor, work: Callable[[Notice], T], notices: list[Notice]) -> Iterator[T]:
    """Do the work for all of them in threads that begin at the same moment."""
    start = threading.Barrier(len(notices))

    def begin(notice: Notice) -> T:
        start.wait(30)
        return work(notice)

    return threads.map(begin, notices)


def test_a_mail_that_was_not_taken_can_be_sent_at_once_by_whoever_tries(
    notifier: Notifier, server: SmtpServer
) -> None:
    notice = a_notice()
    server.replies["CONTENT"].append("451 4.3.0 Try again later")
    with pytest.raises(MailNotSent) as caught:
        notifier.deliver(notice)
    assert not is_permanent(caught.value)
    row = notifier.deliveries.find(notice.id)
    assert row is not None
    assert (row.state, row.claim) == (DeliveryState.FAILED, None)
    assert "451 4.3.0 Try again later" in row.error
    assert notifier.deliver(notice) is DeliveryOutcome.SENT
    assert len(server.mails) == 1


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "CONTENT"])
def test_a_refusal_in_another_encoding_is_noted_and_the_claim_given_back(
    notifier: Notifier, server: SmtpServer, stage: str
) -> None:
    notice = a_notice()
    server.replies[stage].append("550 5.1.1 Empfänger\0 unbekannt".encode("latin-1"))
    with pytest.raises(MailNotSent, match=r"550 5\.1\.1 Empf\\xe4nger unbekannt") as caught:
        notifier.deliver(notice)
    assert isinstance(caught.value, MailRefused) is (stage != "MAIL")  # that is about the sender
    row = notifier.deliveries.find(notice.id)
    assert row is not None
    assert (row.state, row.claim) == (DeliveryState.FAILED, None)
    assert r"Empf\xe4nger unbekannt" in row.error
    assert notifier.deliver(notice) is DeliveryOutcome.SENT


class Unlike:
    """A store that is like the one within but for what a test makes of it."""

    def __init__(self, deliveries: DeliveryStore) -> None:
        self._deliveries = deliveries

    def __getattr__(self, name: str) -> Any:
        return getattr(self._deliveries, name)


class FailsToRelease(Unlike):
    def release(self, *args: Any, **kwargs: Any) -> None:
        raise UnicodeEncodeError("utf-8", "\udce4", 0, 1, "surrogates not allowed")


def test_no_error_while_a_refusal_is_noted_takes_its_place(
    notifier: Notifier, server: SmtpServer, caplog: pytest.LogCaptureFixture
) -> None:
    failing: Any = FailsToRelease(notifier.deliveries)
    server.replies["RCPT"].append("550 5.1.1 No such mailbox")
    with pytest.raises(MailRefused, match="No such mailbox"):
        replace(notifier, deliveries=failing).deliver(a_notice())
    assert "notice.not_released" in caplog.text


def test_a_mail_that_is_refused_for_good_can_be_sent_after_a_replay(
    notifier: Notifier, server: SmtpServer
) -> None:
    notice = a_notice(email=REFUSED)
    with pytest.raises(MailRefused) as caught:
        notifier.deliver(notice)
    assert is_permanent(caught.value)
    mended = notice.model_copy(update={"recipient": an_owner()})
    assert notifier.deliver(mended) is DeliveryOutcome.SENT


def test_what_cannot_be_rendered_is_not_claimed_and_not_sent(notifier: Notifier, server: SmtpServer) -> None:
    notice = a_notice()
    broken = notice.model_copy(update={"values": {"title": "Buy milk"}})
    with pytest.raises(RenderError, match=r"todo_created/body\.txt .*'description' is undefined") as caught:
        notifier.deliver(broken)
    assert is_permanent(caught.value)
    assert state(notifier, notice) is None
    assert notifier.deliver(notice) is DeliveryOutcome.SENT
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [("1 / 0", "ZeroDivisionError"), ("1 | dictsort", "AttributeError"), ("fail()", "undefined")],
)
def test_a_template_that_raises_sends_nothing(
    notifier: Notifier, server: SmtpServer, monkeypatch: pytest.MonkeyPatch, fault: str, error: str
) -> None:
    notice = a_notice()
    environment = environment_for(language_for("en"))
    with monkeypatch.context() as patch:
        source = f"{{{{ title | line }}}} {{{{ {fault} }}}}"
        patch.setattr(environment, "get_template", lambda _: environment.from_string(source))
        with pytest.raises(RenderError, match=rf"todo_created/subject\.txt .*{error}"):
            notifier.deliver(notice)
    assert not server.mails
    assert notifier.deliver(notice) is DeliveryOutcome.SENT


@pytest.mark.parametrize(
    "title",
    [
        "<script>alert('x')</script></h1></table>",
        "{{ 7 * 7 }}{% for x in [1] %}{{ title.__class__ }}{% endfor %}%(title)s %s %d",
        "Buy milk\r\nBcc: eve@example.com\r\n\r\nbody",
        "A" * 10_000,
        "\N{GRINNING FACE}" * 10_000,
        "\N{RIGHT-TO-LEFT OVERRIDE}drowssap \N{RIGHT-TO-LEFT MARK}שלום",
        "=?utf-8?q?Bcc=3A_eve?=",
    ],
)
def test_a_hostile_title_arrives_as_text(
    mailer: Mailer, server: SmtpServer, tmp_path: Path, title: str
) -> None:
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    notifier = Notifier(
        DeliveryStore(database), RecipientStore(database), mailer, Sender("todo@example.com"), _never, LEASE
    )
    notice = a_notice(name=title[:200])
    notice = notice.model_copy(update={"values": notice.values | {"title": title, "actor": title}})
    assert notifier.deliver(notice) is DeliveryOutcome.SENT
    ((envelope,), (mail,)) = server.envelopes, server.mails
    assert envelope.rcpt_tos == ["ana@example.com"]
    assert mail.keys().count("To") == mail.keys().count("Subject") == 1
    assert "Bcc" not in mail
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in mail["Subject"]
    text, html = (part.get_content() for part in mail.iter_parts() if isinstance(part, EmailMessage))
    start = title.replace("\N{RIGHT-TO-LEFT OVERRIDE}", "").split()[0][:50]
    assert start in text
    assert "<script" not in html
    assert "49" not in text.replace("499", "")
    database.dispose()


def _never(notice: Notice, until: datetime, at: datetime) -> None:
    raise AssertionError


def test_who_opted_out_of_a_kind_gets_none_of_it(notifier: Notifier, server: SmtpServer) -> None:
    notifier.recipients.opt_out("Ana@Example.com", ["todo_created"])
    refused, wanted, urgent = a_notice(), a_notice("todo_deleted"), a_notice(urgent=True)
    assert notifier.deliver(refused) is DeliveryOutcome.OPTED_OUT
    assert notifier.deliver(urgent) is DeliveryOutcome.OPTED_OUT
    assert notifier.deliver(wanted) is DeliveryOutcome.SENT
    assert [mail["Subject"] for mail in server.mails] == ["Todo deleted: Book flights to Lisbon"]
    notifier.recipients.opt_in("ana@example.com", ["todo_created"])
    assert notifier.deliver(a_notice()) is DeliveryOutcome.SENT
    # What was decided stays so.
    assert notifier.deliver(refused) is DeliveryOutcome.OPTED_OUT
    assert state(notifier, refused) == DeliveryState.OPTED_OUT
    notifier.recipients.opt_out("ana@example.com", [EVERY_KIND])
    assert notifier.deliver(a_notice("todo_deleted")) is DeliveryOutcome.OPTED_OUT


def test_quiet_hours_postpone_what_is_not_urgent(
    notifier: Notifier, server: SmtpServer, clock: Clock, postponed: list[Postponed]
) -> None:
    clock.now = NIGHT
    notifier.recipients.set_quiet_hours("ana@example.com", QUIET)
    notice = a_notice()
    assert notifier.deliver(a_notice(urgent=True)) is DeliveryOutcome.SENT
    assert notifier.deliver(notice) is DeliveryOutcome.POSTPONED
    assert postponed == [(notice, MORNING, MORNING)]
    row = notifier.deliveries.find(notice.id)
    assert row is not None
    assert (row.state, row.until) == (DeliveryState.POSTPONED, MORNING)
    assert len(server.mails) == 1
    clock.now = MORNING
    assert notifier.deliver(notice) is DeliveryOutcome.SENT
    assert notifier.deliver(notice) is DeliveryOutcome.DONE_BEFORE
    assert len(server.mails) == 2


def test_a_postponed_job_that_comes_a_moment_early_is_postponed_again(
    notifier: Notifier, server: SmtpServer, clock: Clock, postponed: list[Postponed]
) -> None:
    clock.now = NIGHT
    notifier.recipients.set_quiet_hours("ana@example.com", QUIET)
    notice = a_notice()
    assert notifier.deliver(notice) is DeliveryOutcome.POSTPONED
    # The clock of the host that moved the job is ahead of this worker's.
    clock.now = MORNING - timedelta(milliseconds=50)
    assert notifier.deliver(notice) is DeliveryOutcome.POSTPONED
    later = MORNING + timedelta(milliseconds=1_050)
    assert postponed == [(notice, MORNING, MORNING), (notice, MORNING, later)]
    row = notifier.deliveries.find(notice.id)
    assert row is not None
    assert row.updated_at == NIGHT
    clock.now = MORNING
    outcomes = [notifier.deliver(one) for one, _, _ in postponed]
    assert outcomes == [DeliveryOutcome.SENT, DeliveryOutcome.DONE_BEFORE]
    assert len(server.mails) == 1


@pytest.mark.parametrize("ahead_s", [1, 240, 7_200])
def test_a_postponed_job_does_not_come_back_at_once_however_far_the_clock_of_a_host_is_ahead(
    notifier: Notifier, clock: Clock, postponed: list[Postponed], ahead_s: int
) -> None:
    clock.now = NIGHT
    notifier.recipients.set_quiet_hours("ana@example.com", QUIET)
    notice = a_notice()
    outcomes = [notifier.deliver(notice)]
    while outcomes[-1] is DeliveryOutcome.POSTPONED and len(outcomes) < 30:
        _, _, at = postponed[-1]
        clock.now = max(clock.now, at - timedelta(seconds=ahead_s))  # as that host moves it
        outcomes.append(notifier.deliver(notice))
    assert outcomes == [DeliveryOutcome.POSTPONED, DeliveryOutcome.POSTPONED, DeliveryOutcome.SENT]
    assert clock.now == MORNING + timedelta(seconds=1)


def test_what_is_sent_is_not_postponed(notifier: Notifier, clock: Clock, postponed: list[Postponed]) -> None:
    notice = a_notice()
    assert notifier.deliver(notice) is DeliveryOutcome.SENT
    clock.now = NIGHT
    notifier.recipients.set_quiet_hours("ana@example.com", QUIET)
    assert notifier.deliver(notice) is DeliveryOutcome.DONE_BEFORE
    assert not postponed


def test_quiet_hours_that_are_longer_now_postpone_once_more(
    notifier: Notifier, clock: Clock, postponed: list[Postponed]
) -> None:
    clock.now = NIGHT
    notifier.recipients.set_quiet_hours("ana@example.com", QUIET)
    notice = a_notice()
    notifier.deliver(notice)
    notifier.recipients.set_quiet_hours("ana@example.com", QuietHours(time(22), time(9)))
    clock.now = MORNING
    assert notifier.deliver(notice) is DeliveryOutcome.POSTPONED
    assert [until for _, until, _ in postponed] == [MORNING, MORNING + timedelta(hours=2)]


def test_a_job_that_could_not_be_postponed_is_not_noted_as_such(notifier: Notifier, clock: Clock) -> None:
    clock.now = NIGHT
    notifier.recipients.set_quiet_hours("ana@example.com", QUIET)
    notice = a_notice()
    with pytest.raises(AssertionError):
        replace(notifier, postpone=_never).deliver(notice)
    assert state(notifier, notice) is None


class Away(Unlike):
    """A database that fails for a while, at the moment of settling."""

    def __init__(self, deliveries: DeliveryStore, failures: int, error: type[DatabaseError]) -> None:
        super().__init__(deliveries)
        self.left = failures
        self.error = error

    def settle(self, *args: Any, **kwargs: Any) -> bool:
        if self.left:
            self.left -= 1
            raise self.error
        return self._deliveries.settle(*args, **kwargs)


@pytest.mark.parametrize("error", [DatabaseUnavailable, DatabaseError])
def test_a_sent_mail_is_noted_when_the_database_is_back(
    notifier: Notifier, server: SmtpServer, error: type[DatabaseError]
) -> None:
    away: Any = Away(notifier.deliveries, 2, error)
    notice = a_notice()
    assert replace(notifier, deliveries=away).deliver(notice) is DeliveryOutcome.SENT
    assert away.left == 0
    assert notifier.deliver(notice) is DeliveryOutcome.DONE_BEFORE
    assert len(server.mails) == 1


class Waits(Unlike):
    """A database that notes no mail as sent before it is let."""

    def __init__(self, deliveries: DeliveryStore) -> None:
        super().__init__(deliveries)
        self.asked, self.go_on = threading.Event(), threading.Event()

    def settle(self, *args: Any, **kwargs: Any) -> bool:
        self.asked.set()
        assert self.go_on.wait(30)
        return self._deliveries.settle(*args, **kwargs)


def test_a_connection_sends_no_other_mail_before_its_last_one_is_noted(
    notifier: Notifier, server: SmtpServer
) -> None:
    # So a worker that is killed leaves one mail a connection that goes out again, not one a thread.
    mailer = Mailer(notifier.mailer._server, connections=1)
    waits: Any = Waits(notifier.deliveries)
    own = replace(notifier, mailer=mailer, deliveries=waits)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(own.deliver, a_notice())
        assert waits.asked.wait(30)
        second = threads.submit(own.deliver, a_notice())
        wait_for(lambda: len(server.senders) == 2)  # its envelope goes
        assert server.count == 1
        waits.go_on.set()
        assert {first.result(30), second.result(30)} == {DeliveryOutcome.SENT}
    mailer.close()
    assert server.count == 2


class Slow(Unlike):
    """A database that is slow to note a claim."""

    def __init__(self, deliveries: DeliveryStore, clock: Clock) -> None:
        super().__init__(deliveries)
        self._clock = clock

    def claim(self, *args: Any, **kwargs: Any) -> str | None:
        token = self._deliveries.claim(*args, **kwargs)
        self._clock.now += LEASE * 0.6
        return token


def test_nothing_is_sent_under_a_claim_that_is_about_to_end(
    notifier: Notifier, server: SmtpServer, clock: Clock
) -> None:
    slow: Any = Slow(notifier.deliveries, clock)
    notice = a_notice()
    with pytest.raises(DatabaseUnavailable, match=r"took 0:00:36 to let notice .* be sent"):
        replace(notifier, deliveries=slow).deliver(notice)
    assert not server.mails
    assert notifier.deliver(notice) is DeliveryOutcome.SENT
    assert len(server.mails) == 1


def test_a_database_that_stays_away_is_an_error_and_the_claim_ends(
    notifier: Notifier, server: SmtpServer, clock: Clock
) -> None:
    away: Any = Away(notifier.deliveries, 1_000, DatabaseUnavailable)
    notice = a_notice()
    with pytest.raises(DatabaseUnavailable):
        replace(notifier, deliveries=away, settle_patience_s=0.0).deliver(notice)
    with pytest.raises(DeliveryBusy):
        notifier.deliver(notice)
    clock.now += LEASE
    assert notifier.deliver(notice) is DeliveryOutcome.SENT  # the window that the documentation tells of


def test_what_happened_is_shown_for_a_recipient(notifier: Notifier, clock: Clock) -> None:
    notices = [a_notice() for _ in range(3)]
    for minutes, notice in enumerate(notices):
        clock.now = NOON + timedelta(minutes=minutes)
        notifier.deliver(notice)
    notifier.deliver(a_notice(email="ben@example.com"))
    rows = notifier.deliveries.latest("ANA@example.com", limit=2)
    assert [row.id for row in rows] == [str(notice.id) for notice in (notices[2], notices[1])]


def test_a_worker_that_is_killed_with_a_mail_in_hand_leaves_it_to_the_next(
    server: SmtpServer, database: Database, database_url: str, tmp_path: Path
) -> None:
    notice = a_notice()
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: EmailMessage) -> None:
        begun.set()
        go_on.wait(60)

    server.on_content = hold
    env = {"DATABASE_URL": database_url, "SMTP_PORT": str(server.port), "SMTP_LEASE_S": "60"}
    killed = send_elsewhere(notice, env, tmp_path)
    assert begun.wait(60)
    killed.kill()
    assert killed.wait(30) == -signal.SIGKILL
    wait_for(lambda: server.open == 0)  # it does not take a mail whose sender is gone
    go_on.set()
    server.on_content = None
    row = DeliveryStore(database).find(notice.id)
    assert row is not None
    assert row.state == DeliveryState.SENDING
    # Whoever comes before its claim ends comes back; whoever comes after sends.
    assert send_elsewhere(notice, env, tmp_path).wait(60) != 0
    with database.writing() as connection:
        connection.execute(deliveries.update().values(until=datetime.now(UTC)))
    for _ in range(2):
        assert send_elsewhere(notice, env, tmp_path).wait(60) == 0
    assert len(server.mails) == 1
    row = DeliveryStore(database).find(notice.id)
    assert row is not None
    assert row.state == DeliveryState.SENT
    assert row.attempts == 2


def send_elsewhere(notice: Notice, env: dict[str, str], folder: Path) -> WarmProcess:
    code = "import json, sys, tasks; tasks.send_notice(json.loads(sys.argv[1]))"
    command = ["-c", code, notice.model_dump_json()]
    with Path(os.devnull).open("r+b") as nothing:
        return WarmProcess(
            command, env=os.environ | env, folder=folder, stdin=nothing, stdout=nothing, stderr=nothing
        )
