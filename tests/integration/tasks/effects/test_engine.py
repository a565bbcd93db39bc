"""The effects of many events at a time, on SQLite and PostgreSQL: each once, whatever fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import Connection
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.exc import IntegrityError, OperationalError

from tasks.audit.verify import verify
from tasks.effects import batch, mails
from tasks.effects.engine import MAX_BATCH
from tasks.effects.event_in_hand import Effect, EventInHand
from tasks.effects.mails import Answer, ClaimedMail
from tasks.events.models import OtherEvent, TodoEvent, read_any_event
from tasks.notifications.delivery_store import DeliveryState, claim_of
from tasks.notifications.mail_message import compose
from tasks.notifications.notice import notice_of
from tasks.notifications.quiet_hours import QuietHours
from tasks.notifications.rendering import render
from tasks.smtp.mail import Mail, MailNotSent, MailRefused
from tasks.storage.database import Database
from tasks.storage.engine import DatabaseError, DatabaseUnavailable
from tests.helpers.effects_world import LEASE, MOST_MAILS, EffectsWorld, notice_id
from tests.helpers.samples import KINDS, a_todo, an_event, an_owner
from tests.helpers.waiting import wait_for
from workers.errors import KafkaUnreachable, MessageTooLarge

SOON = datetime.now(UTC) + timedelta(days=3)


@pytest.fixture
def world(database: Database) -> Iterator[EffectsWorld]:
    world = EffectsWorld(database)
    yield world
    world.mailer.answer = lambda _: None
    world.close()


def events(count: int, **todo: Any) -> list[TodoEvent]:
    return [an_event(KINDS[n % 4], todo=a_todo(id=f"todo-{n}", **todo)) for n in range(count)]


def ids(some: Sequence[TodoEvent]) -> list[str]:
    return [str(one.event_id) for one in some]


def states(world: EffectsWorld, some: Sequence[TodoEvent]) -> set[str | None]:
    return {world.state(one) for one in some}


def test_events_that_wait_share_transactions_and_each_has_its_row_and_its_mail(world: EffectsWorld) -> None:
    commits: list[Connection] = []
    sqlalchemy_event.listen(world.database.engine, "commit", commits.append)
    published = events(40)
    world.submit_together(*published)
    world.wait(*published)
    assert world.recorded() == ids(published)
    assert verify(world.database).told == []
    assert len(world.mailer.mails) == 40
    assert states(world, published) == {DeliveryState.SENT}
    assert world.jobs == []
    assert set(world.finished.values()) == {None}
    # One with the events of a batch and one with the answers, for two batches and the event before them.
    assert MAX_BATCH < 40
    assert len(commits) <= 8
    assert world.mailer.held == []


def test_an_event_that_comes_again_is_recorded_and_mailed_once(world: EffectsWorld) -> None:
    (once,) = events(1)
    world.submit_together(once)
    world.wait(once)
    world.finished.clear()
    world.submit_together(once)
    world.wait(once)
    assert (world.recorded(), len(world.mailer.mails), world.jobs) == (ids([once]), 1, [])


def test_an_event_of_another_type_is_only_recorded(world: EffectsWorld) -> None:
    other = OtherEvent(type="list.shared", subject="list-1")
    world.handle(other)
    assert world.recorded() == [str(other.event_id)]
    assert (world.mailer.mails, world.jobs) == ([], [])


def test_reminders_are_in_step_and_their_alarms_are_set_once(world: EffectsWorld) -> None:
    created = an_event(todo=a_todo(due=SOON, reminders=("-1h", "-1d")))
    plain = an_event(todo=a_todo(id="todo-2", due=SOON))
    world.submit_together(created, plain)
    world.wait(created, plain)
    assert sorted(alarm.at for alarm in world.alarms) == [SOON - timedelta(days=1), SOON - timedelta(hours=1)]
    assert world.jobs == []


def test_alarms_that_cannot_be_set_become_a_job(world: EffectsWorld) -> None:
    created = an_event(todo=a_todo(due=SOON, reminders=("-1h",)))

    def fail(_work: Sequence[Any]) -> None:
        raise KafkaUnreachable("no Kafka")

    world.set_alarms = fail
    world.handle(created)
    assert world.jobs == [(created.event_id, "sync_reminder")]
    assert world.recorded() == ids([created])


def test_a_mail_that_cannot_be_rendered_concerns_no_other_effect(
    world: EffectsWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    published = events(6)
    broken = notice_id(published[2].event_id)
    monkeypatch.setattr(
        "tasks.effects.batch.render", lambda notice: render(notice) if notice.id != broken else 1 / 0
    )
    world.submit_together(*published)
    world.wait(*published)
    assert world.recorded() == ids(published)
    assert world.jobs == [(published[2].event_id, "send_notification")]
    assert len(world.mailer.mails) == 5
    assert f"event.later event_id={published[2].event_id} actor=send_notification: division" in caplog.text


@pytest.mark.parametrize("effect", ["claim", "reminder", "row"])
def test_where_the_transaction_fails_only_the_effect_that_is_wrong_is_left(
    world: EffectsWorld, monkeypatch: pytest.MonkeyPatch, effect: str
) -> None:
    published = [an_event(todo=a_todo(id=f"todo-{n}", due=SOON, reminders=("-1h",))) for n in range(6)]
    wrong = published[3]
    stores = {
        "claim": (world.parts.deliveries, "claim_all", str(notice_id(wrong.event_id))),
        "reminder": (world.parts.reminders, "sync_all", wrong.event_id),
        "row": (batch, "append", str(wrong.event_id)),
    }
    place, name, mark = stores[effect]
    work = getattr(place, name)

    def fail(connection: Connection, items: Sequence[Any], *more: Any) -> Any:
        if any(str(mark) in str(item) for item in items):
            raise IntegrityError("INSERT", None, ValueError("wrong"))
        return work(connection, items, *more)

    monkeypatch.setattr(place, name, fail) if place is batch else object.__setattr__(place, name, fail)
    world.submit_together(*published)
    world.wait(*published)
    actor = {"claim": "send_notification", "reminder": "sync_reminder", "row": "record_audit"}[effect]
    assert world.jobs == [(wrong.event_id, actor)]
    assert len(world.recorded()) == 6 - (effect == "row")
    assert len(world.mailer.mails) == 6 - (effect == "claim")
    assert len(world.alarms) == 6 - (effect == "reminder")
    assert verify(world.database).told == []


def test_a_database_that_is_away_leaves_all_effects_to_jobs_and_sends_nothing(
    world: EffectsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError("INSERT", None, OSError("away"))

    monkeypatch.setattr(batch, "append", fail)
    published = events(3)
    world.submit_together(*published)
    world.wait(*published)
    effects = ("record_audit", "send_notification", "sync_reminder")
    assert sorted(world.jobs) == sorted((one.event_id, effect) for one in published for effect in effects)
    assert world.mailer.mails == []
    assert states(world, published) == {None}


@pytest.mark.parametrize("error", [MailRefused("550 no", 550), MailNotSent("451 later", 451)])
def test_a_mail_that_is_not_taken_gives_its_claim_back_and_becomes_a_job(
    world: EffectsWorld, error: Exception
) -> None:
    published = events(3)
    refused = str(notice_id(published[1].event_id)).encode()
    world.mailer.answer = lambda mail: error if refused in mail.content else None
    world.submit_together(*published)
    world.wait(*published)
    assert world.jobs == [(published[1].event_id, "send_notification")]
    row = world.parts.deliveries.find(notice_id(published[1].event_id))
    assert row is not None
    assert (row.state, row.claim, row.error) == (DeliveryState.FAILED, None, str(error))
    assert world.state(published[2]) == DeliveryState.SENT


def test_a_notice_that_another_worker_sends_is_left_to_a_job(world: EffectsWorld) -> None:
    first, second = events(2)
    with world.database.writing() as connection:
        notice = notice_of(first, id=notice_id(first.event_id))
        claim = claim_of(notice, now=datetime.now(UTC), lease=LEASE)
        world.parts.deliveries.claim_all(connection, [claim])
    world.submit_together(first, second)
    world.wait(first, second)
    assert world.jobs == [(first.event_id, "send_notification")]
    assert len(world.mailer.mails) == 1


def test_who_does_not_want_a_mail_now_is_asked_about_by_a_job(world: EffectsWorld) -> None:
    recipients = world.parts.recipients
    recipients.opt_out("no@example.com", ["todo_created"])
    recipients.set_quiet_hours("later@example.com", QuietHours(time(0), time(23, 59)))
    recipients.opt_out("other@example.com", ["todo_deleted"])
    published = [
        an_event(todo=a_todo(owner=an_owner(email=f"{name}@example.com", time_zone="UTC")))
        for name in ("no", "Later", "other", "ana")
    ]
    world.submit_together(*published)
    world.wait(*published)
    assert world.jobs == [(one.event_id, "send_notification") for one in published[:2]]
    assert {mail.recipient for mail in world.mailer.mails} == {"other@example.com", "ana@example.com"}


def test_what_an_operator_has_stopped_is_left_to_jobs(world: EffectsWorld) -> None:
    for effect in Effect:
        world.stopped[:] = [effect]
        (event,) = events(1)
        world.handle(event)
        assert world.jobs == [(event.event_id, effect.value)]
        world.jobs.clear()
        assert (str(event.event_id) in world.recorded()) is (effect is not Effect.RECORD)
        assert (world.state(event) == "sent") is (effect is not Effect.MAIL)


def test_where_the_mailer_is_not_ready_each_mail_is_a_job(world: EffectsWorld) -> None:
    world.mailer.is_well = False
    published = events(3)
    world.submit_together(*published)
    world.wait(*published)
    assert world.recorded() == ids(published)
    assert world.jobs == [(one.event_id, "send_notification") for one in published]
    assert states(world, published) == {None}


def test_a_slow_mail_server_holds_up_no_audit_row(
    world: EffectsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mails, "SLOW_S", 0.2)
    world.mailer.holds = True
    slow, after = events(MOST_MAILS), events(5)
    world.submit_together(*slow)
    wait_for(lambda: len(world.mailer.waiting) == MOST_MAILS)
    world.handle(*after)
    assert world.recorded() == ids(slow) + ids(after)
    assert world.jobs == [(one.event_id, "send_notification") for one in after]
    # Their jobs are not done: if this process dies now, others must see to them.
    assert not any(one.event_id in world.finished for one in slow)
    world.mailer.answer_all()
    world.wait(*slow)
    assert states(world, slow) == {DeliveryState.SENT}
    assert len(world.jobs) == 5


def test_an_answer_is_recorded_before_the_next_mail_is_composed(
    world: EffectsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mails, "SLOW_S", 60)
    world.mailer.holds = True
    (first,) = events(1)
    world.submit(first)
    wait_for(lambda: world.mailer.waiting)
    seen: list[str | None] = []

    def answer_and_look(*given: Any, **more: Any) -> bytes:
        seen.append(world.state(first))
        world.mailer.answer_all()
        return compose(*given, **more)

    monkeypatch.setattr("tasks.effects.batch.compose", answer_and_look)
    world.submit_together(*events(2))
    wait_for(lambda: len(seen) == 2)
    assert seen == [DeliveryState.SENDING, DeliveryState.SENT]


@pytest.mark.parametrize("error", [DatabaseUnavailable, DatabaseError])
def test_an_acceptance_is_kept_while_the_database_fails(
    world: EffectsWorld,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[DatabaseError],
) -> None:
    settle_all, tries = world.parts.deliveries.settle_all, []

    def fail_twice(connection: Connection, sent: Sequence[Any]) -> Sequence[str]:
        tries.append(sent)
        if len(tries) <= 2:
            raise error("it failed")
        return settle_all(connection, sent)

    monkeypatch.setattr(world.parts.deliveries, "settle_all", fail_twice)
    (published,) = events(1)
    world.handle(published)
    assert world.state(published) == DeliveryState.SENT
    assert len(world.mailer.mails) == 1
    assert caplog.text.count("notice.not_settled") == 1
    assert world.mailer.held == []


def test_an_answer_that_can_never_be_recorded_leaves_the_mail_to_a_job(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise DatabaseUnavailable("away")

    world = EffectsWorld(database, settle_patience_s=0.3)
    monkeypatch.setattr(world.parts.deliveries, "settle_all", fail)
    (published,) = events(1)
    world.handle(published)
    assert world.jobs == [(published.event_id, "send_notification")]
    assert world.mailer.held == [], "the connection goes on"
    world.close()


def test_a_refusal_that_cannot_be_written_costs_no_acceptance_its_record(
    world: EffectsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_connection: Connection, failed: Sequence[Any]) -> None:
        if failed:
            raise DatabaseError("no such text")

    monkeypatch.setattr(world.parts.deliveries, "release_all", fail)
    published = events(3)
    refused = str(notice_id(published[1].event_id)).encode()
    world.mailer.answer = lambda mail: MailRefused("550 no", 550) if refused in mail.content else None
    world.submit_together(*published)
    world.wait(*published)
    assert world.jobs == [(published[1].event_id, "send_notification")]
    assert [world.state(one) for one in published] == ["sent", "sending", "sent"]
    assert world.mailer.held == []


def test_each_answer_has_the_whole_patience(world: EffectsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise DatabaseError("read-only")

    now = 100.0
    monkeypatch.setattr(mails, "time", Mock(monotonic=lambda: now))
    monkeypatch.setattr(world.parts.deliveries, "settle_all", fail)
    hand = world.engine._mails
    mail = Mail("todo@example.com", "ana@example.com", b"")
    first, second = (
        Answer(ClaimedMail(Mock(), name, name, datetime.now(UTC), mail), None, is_sent=False)
        for name in ("first", "second")
    )
    hand._handed_over = dict.fromkeys([first.claimed, second.claimed], now)
    hand.note(first)
    assert hand.record() == []
    now += 3
    hand.note(second)
    now += 3
    assert [one.claimed for one in hand.record()] == [first.claimed]
    now += 3
    assert [one.claimed for one in hand.record()] == [second.claimed]
    assert (hand.count, hand.must_record) == (0, False)


def test_a_mail_that_the_mailer_cannot_take_is_a_job_and_concerns_no_other(
    world: EffectsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, tries = world.mailer.submit, []

    def fail_once(*given: Any, **more: Any) -> None:
        tries.append(given)
        if len(tries) == 1:
            raise RuntimeError("can't start new thread")
        submit(*given, **more)

    monkeypatch.setattr(world.mailer, "submit", fail_once)
    published = events(3)
    world.submit_together(*published)
    world.wait(*published)
    assert len(world.jobs) == 1
    assert sorted(str(world.state(one)) for one in published) == ["failed", "sent", "sent"]
    assert world.mailer.held == []


def test_a_notice_that_was_opted_out_of_is_not_told_as_sent(world: EffectsWorld) -> None:
    (published,) = events(1)
    notice = notice_of(published, id=notice_id(published.event_id))
    world.parts.deliveries.opt_out(notice, now=datetime.now(UTC))
    told: list[tuple[Effect, str]] = []
    data = published.model_dump(mode="json")
    finish = world._finish(published.event_id)

    def tell(_: Any, effect: Effect, outcome: str) -> None:
        told.append((effect, outcome))

    world.engine.submit(EventInHand(read_any_event(data), data, finish, tell))
    world.wait(published)
    assert (Effect.MAIL, "opted-out") in told
    assert world.mailer.mails == []


def test_a_claim_that_took_long_to_commit_sends_nothing(world: EffectsWorld) -> None:
    times = iter(range(1_000))
    started = datetime.now(UTC)
    # Each look at the clock is a third of a lease after the one before.
    object.__setattr__(world.engine._mails, "_clock", lambda: started + LEASE / 3 * (2 + next(times)))
    object.__setattr__(world.parts, "clock", lambda: started)
    (published,) = events(1)
    world.handle(published)
    assert world.mailer.mails == []
    assert world.state(published) == DeliveryState.FAILED
    assert world.jobs == [(published.event_id, "send_notification")]


def test_a_kafka_that_is_away_holds_the_event_until_its_jobs_are_there(
    world: EffectsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.effects.later.RETRY_DELAY_S", 0.01)
    enqueue, tries = world.enqueue, []

    def fail_twice(left: Sequence[Any]) -> None:
        tries.append(left)
        if len(tries) <= 3:
            raise KafkaUnreachable("no Kafka")
        enqueue(left)

    world.enqueue = fail_twice
    world.mailer.is_well = False
    (published,) = events(1)
    world.handle(published)
    assert world.jobs == [(published.event_id, "send_notification")]
    assert world.finished == {published.event_id: None}


def test_a_job_that_no_topic_takes_is_the_failure_of_its_event_alone(world: EffectsWorld) -> None:
    published = events(3)
    error = MessageTooLarge("too large")

    def fail(left: Sequence[Any]) -> None:
        if any(one.event.event is published[1] or one.event.event == published[1] for one in left):
            raise error
        world._enqueue(left)

    world.enqueue = fail
    world.mailer.is_well = False
    world.submit_together(*published)
    world.wait(*published)
    assert [world.finished[one.event_id] for one in published] == [None, error, None]
    assert [event_id for event_id, _ in world.jobs] == [published[0].event_id, published[2].event_id]


def test_a_batch_that_fails_for_no_known_reason_becomes_jobs(
    world: EffectsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(batch.Batch, "read", fail)
    published = events(2)
    world.handle(*published)
    assert len(world.jobs) == 6
    monkeypatch.undo()
    world.handle(*events(1))
    assert len(world.jobs) == 6


def test_closing_waits_for_the_answers_and_it_can_be_used_again(world: EffectsWorld) -> None:
    world.handle(*(published := events(3)))
    world.engine.close()
    assert states(world, published) == {DeliveryState.SENT}
    world.handle(*(more := events(2)))
    assert states(world, more) == {DeliveryState.SENT}


def test_a_mail_is_addressed_and_claimed_as_a_single_one_is(world: EffectsWorld) -> None:
    (published,) = events(1)
    world.handle(published)
    (mail,) = world.mailer.mails
    row = world.parts.deliveries.find(notice_id(published.event_id))
    assert row is not None
    assert isinstance(mail, Mail)
    assert (mail.sender, mail.recipient) == ("todo@example.com", "ana@example.com")
    assert (row.kind, row.recipient, row.attempts) == ("todo_created", "ana@example.com", 1)
    assert f"<{notice_id(published.event_id)}@todo-workers>".encode() in mail.content
