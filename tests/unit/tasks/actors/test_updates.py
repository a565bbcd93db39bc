"""What the jobs say that they did, and that they say nothing if nobody wants to know."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import dramatiq
import pytest

import tasks
from tasks.actors import notifications, updates
from tasks.actors.event_jobs import job_id
from tasks.app import max_delay
from tasks.events.models import TodoEvent, read_any_event
from tasks.notifications.notice import Notice
from tasks.notifications.notifier import DeliveryOutcome
from tasks.reminders.outcomes import AlarmToSet, FiringOutcome
from tasks.reminders.store import Fired
from tasks.updates.records import Deed, Update
from tests.helpers.samples import a_todo, an_event, an_owner

AT = datetime(2026, 6, 1, tzinfo=UTC)
NOTICE = Notice(id=UUID(int=1), kind="todo_created", recipient=an_owner(email="ana@example.com"), values={})


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Update]:
    found: list[Update] = []
    monkeypatch.setattr(updates, "announcer", lambda: found.append)
    return found


def test_each_deed_is_told_to_the_owner(said: list[Update]) -> None:
    event = an_event(todo=a_todo(id="t", owner=an_owner(email="ana@example.com")))
    updates.event_recorded(event)
    for outcome in ("opted-out", "job", "sent"):
        updates.event_mailed(event, NOTICE.id, outcome)
    for outcome in DeliveryOutcome:
        updates.mail(NOTICE, outcome, "t")
    updates.mail_postponed(NOTICE, AT, "t")
    updates.mail_given_up(NOTICE, None)
    updates.reminders_set(event, [AlarmToSet("r", 3, AT)])
    updates.reminder_fired("r", Fired(FiringOutcome.LATE, AT, 0, "f", "t", "ana@example.com"))
    assert {update.owner for update in said} == {"ana@example.com"}
    notice = {"notice_id": str(NOTICE.id), "kind": "todo_created"}
    assert [(update.deed, update.todo_id, update.data) for update in said] == [
        (Deed.EVENT_RECORDED, "t", {"event_id": str(event.event_id), "event_type": "todo.created"}),
        (Deed.MAIL_OPTED_OUT, "t", notice),  # by its event
        (Deed.MAIL_SENT, "t", notice),
        (Deed.MAIL_SENT, "t", notice),
        (Deed.MAIL_SENT, "t", notice),  # done before
        (Deed.MAIL_OPTED_OUT, "t", notice),
        (Deed.MAIL_POSTPONED, "t", notice | {"until": AT.isoformat()}),
        (Deed.MAIL_GIVEN_UP, None, notice),
        (Deed.REMINDER_SET, "t", {"reminder_id": "r", "at": AT.isoformat()}),
        (
            Deed.REMINDER_FIRED,
            "t",
            {"reminder_id": "r", "notice_id": "f", "occurrence": AT.isoformat(), "outcome": "late"},
        ),
    ]
    assert said[2].id == said[3].id


class Postpones:
    """In place of a notifier: postpones a notice, whose job has then come too early."""

    def __init__(self, postpone: Callable[[Notice, datetime, datetime], None]) -> None:
        self._postpone = postpone

    def deliver(self, notice: Notice) -> DeliveryOutcome:
        self._postpone(notice, AT, AT)
        self._postpone(notice, AT, datetime.now(UTC) + max_delay + timedelta(days=1))
        return DeliveryOutcome.POSTPONED


def test_a_mail_that_is_postponed_again_as_its_job_came_early_is_not_announced_again(
    said: list[Update], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[tuple[str, int]] = []

    def enqueue(job: dramatiq.Message[Any], *, delay: int) -> None:
        jobs.append((job.message_id, delay))

    monkeypatch.setattr(notifications, "notifier", Postpones)
    monkeypatch.setattr(tasks.broker, "enqueue", enqueue)
    tasks.send_notice(NOTICE.model_dump(mode="json"))
    assert [update.deed for update in said] == [Deed.MAIL_POSTPONED]
    (job, delay), (again, longest) = jobs
    assert job == again
    assert (delay, longest) == (0, max_delay / timedelta(milliseconds=1))  # more would be refused


def test_nobody_is_told_of_an_event_without_an_owner(said: list[Update]) -> None:
    other = {"type": "shop.sale", "event_id": str(UUID(int=1)), "time": AT.isoformat()}
    updates.event_recorded(read_any_event(other).event)
    data: dict[str, Any] = an_event().model_dump(mode="json")
    data["todo"]["owner"]["email"] = ""
    updates.event_recorded(read_any_event(data).event)
    assert said == []


def test_a_mail_that_becomes_a_dead_letter_is_given_up(said: list[Update]) -> None:
    event = an_event(todo=a_todo(id="t"))
    about_event = notifications.send_notification.message(event.model_dump(mode="json"))
    about_nothing = notifications.send_notification.message({})
    for message in (
        about_event,
        about_nothing,
        notifications.notice_job(NOTICE),
        tasks.reconcile_reminders.message(),
    ):
        tasks.broker.emit_after("nack", dramatiq.MessageProxy(message))
    notice_id = job_id(event.event_id, notifications.send_notification)
    assert [(update.deed, update.data["notice_id"]) for update in said] == [
        (Deed.MAIL_GIVEN_UP, str(notice_id)),
        (Deed.MAIL_GIVEN_UP, str(NOTICE.id)),
    ]


@pytest.mark.parametrize("kind", ["todo.completed", "todo.deleted"])
@pytest.mark.parametrize("zone", ["Mars/Olympus", ["Asia/Thimphu"]])
def test_nothing_is_said_of_reminders_in_a_time_zone_that_does_not_exist(
    said: list[Update], kind: str, zone: object
) -> None:
    data = an_event(kind, todo=a_todo(due=AT, reminders=["-1h"])).model_dump(mode="json")
    data["todo"]["owner"]["time_zone"] = zone
    event = read_any_event(data).event
    assert isinstance(event, TodoEvent)
    updates.reminders_called_off(event)
    assert said == []


def test_with_updates_off_nothing_is_even_made(said: list[Update], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "update_log", None)
    updates.event_recorded(an_event())
    updates.event_mailed(an_event(), NOTICE.id, "sent")
    updates.mail(NOTICE, DeliveryOutcome.SENT, "t")
    updates.mail_postponed(NOTICE, AT, "t")
    updates.reminders_set(an_event(), [AlarmToSet("r", 3, AT)])
    assert said == []
