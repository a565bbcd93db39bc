"""The chatbot's page of reminders: put off, set to another time and cancelled, with rights and in the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest

from tasks.reminders.by_hand import RemindersByHand
from tasks.reminders.outcomes import ReminderState
from tasks.reminders.reminder import Reminder
from tasks.storage.database import Database
from tests.helpers.reminder_world import World, event
from tests.unit.web.dashboard.conftest import Client
from tests.unit.web.dashboard.fakes import FakeKafka
from tests.unit.web.dashboard.forms import told
from web.chatbot import reminders as page
from web.chatbot.pages import pages
from web.dashboard.application import Dashboard
from workers.errors import KafkaUnreachable

DUE = datetime.now(UTC) + timedelta(days=9)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'todo.db'}")
    database.upgrade()
    World(database).sync(event(due=DUE, reminders=["-1h"], title="<b>Pay</b> the \u202erent"))
    monkeypatch.setattr(page, "database", lambda: database)
    yield database
    database.dispose()


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Mock:
    keeper = Mock()
    monkeypatch.setattr(page, "keeper", lambda: keeper)
    return keeper


@pytest.fixture
def board(make: Callable[..., Dashboard]) -> Dashboard:
    return make(pages=[pages])


def the_one(database: Database) -> Reminder:
    ((one,), _) = RemindersByHand(database).find(limit=2)
    return one


def test_a_reminder_is_changed_by_whom_that_is_allowed_and_written_down(
    client: Client, kafka: FakeKafka, board: Dashboard, database: Database, keeper: Mock
) -> None:
    path = f"/reminders/{the_one(database).id}"
    viewer, browser = client("viewer", board=board), client("operator", board=board)
    assert "Reschedule" not in viewer.get("/reminders").text
    assert viewer.post(path, data={"do": "cancel"}).status_code == 403
    foreign = {"origin": "https://evil.example"}
    assert browser.post(path, data={"do": "cancel"}, headers=foreign).status_code == 403
    shown = browser.get("/reminders").text
    assert "Reschedule" in shown
    assert "<b>Pay" not in shown

    answer = browser.post(path, data={"do": "reschedule", "at": "2h"})
    assert (answer.status_code, "It fires" in answer.text) == (200, True)
    in_two_hours = datetime.now(UTC) + timedelta(hours=2)
    assert abs((the_one(database).alarm_at or DUE) - in_two_hours) < timedelta(minutes=1)
    assert "It fires" in browser.post(path, data={"do": "snooze", "length": "1d"}).text
    (alarm,) = keeper.set_alarms.call_args.args[0]
    assert alarm.version == the_one(database).version
    assert "is cancelled" in browser.post(path, data={"do": "cancel"}).text
    assert the_one(database).state is ReminderState.CANCELLED
    assert [did for _, did in told(kafka)] == ["reschedule reminder", "snooze reminder", "cancel reminder"]


@pytest.mark.parametrize(
    "form",
    [
        {"do": "reschedule", "at": "never"},
        {"do": "reschedule", "at": "2001-01-01T00:00"},
        {"do": "snooze", "length": "9" * 500 + "d"},
        {"do": "explode"},
        {},
    ],
)
def test_what_cannot_be_done_is_told_and_neither_done_nor_written_down(
    client: Client, kafka: FakeKafka, board: Dashboard, database: Database, form: dict[str, str]
) -> None:
    before = the_one(database)
    status = 409 if "2001" in form.get("at", "") else 400
    assert client("operator", board=board).post(f"/reminders/{before.id}", data=form).status_code == status
    assert client("operator", board=board).post("/reminders/nonsense", data=form).status_code == 404
    assert the_one(database) == before
    assert not kafka.actions


def test_while_kafka_is_away_nothing_is_done_and_an_alarm_that_cannot_be_set_is_told(
    client: Client, kafka: FakeKafka, board: Dashboard, database: Database, keeper: Mock
) -> None:
    browser, before = client("operator", board=board), the_one(database)
    keeper.set_alarms.side_effect = KafkaUnreachable("Kafka is away")
    path = f"/reminders/{before.id}"
    assert "Workers set its alarm later" in browser.post(path, data={"do": "reschedule", "at": "2h"}).text
    before = the_one(database)
    kafka.away = "Kafka is away"
    assert browser.post(path, data={"do": "cancel"}).status_code == 503
    assert the_one(database) == before


def test_while_the_database_is_away_its_pages_say_so_and_the_others_go_on(
    client: Client, board: Dashboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "database", lambda: Database(f"sqlite:///{tmp_path / 'nowhere' / 'todo.db'}"))
    browser = client("viewer", board=board)
    answer = browser.get("/reminders")
    assert (answer.status_code, "The database does not answer" in answer.text) == (503, True)
    assert "nowhere" in answer.text
    assert browser.get("/queues").status_code == 200
