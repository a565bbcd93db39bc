"""The handling of an event: parsed once, and what one effect cannot use is no other's trouble."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import dramatiq
import pytest
from opentelemetry.trace import format_trace_id

import tasks
from tasks.actors import events, reminders, updates
from tasks.audit.chain import AuditEntry
from tasks.audit.entries import entry_of
from tasks.effects import batch
from tasks.effects.event_in_hand import EventInHand
from tasks.effects.later import Alarms, Later
from tasks.events import models
from tasks.events.fields import Part
from tasks.events.models import InvalidEvent, read_any_event, read_event
from tasks.notifications.notice import Notice
from tasks.notifications.rendering import RenderedNotice, render
from tasks.reminders.outcomes import AlarmToSet
from tasks.reminders.store import ReminderStore
from tasks.storage.database import Database
from tasks.updates.records import Deed
from tests.helpers.effects_world import ObedientMailer, an_engine
from tests.helpers.samples import KINDS, a_todo, an_event
from tests.helpers.spans import KeptSpans, kept_spans
from workers.errors import KafkaUnreachable
from workers.traces.active import ids


class Effects:
    """The effects of events, on a database of their own; and the jobs for what failed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
        self.recorded: list[Any] = []
        self.synced: list[Any] = []
        self.mailed: list[Any] = []
        self.announced: list[Any] = []
        self.jobs: list[dramatiq.Message[Any]] = []
        self.mailer = ObedientMailer()
        self.reminders = ReminderStore(database)
        monkeypatch.setattr(self.reminders, "sync_all", self._sync_all)
        monkeypatch.setattr(batch, "entry_of", self._entry_of)
        monkeypatch.setattr(batch, "render", self._render)
        self.engine = an_engine(
            database, self.mailer, Later(events._enqueue, lambda _: None), reminders=self.reminders
        )
        monkeypatch.setattr(events, "effects", lambda: self.engine)
        monkeypatch.setattr(updates, "update_log", "updates")
        monkeypatch.setattr(updates, "announcer", lambda: self.announced.append)
        monkeypatch.setattr(tasks.broker, "enqueue", self.jobs.append)

    def _entry_of(self, event: Any) -> AuditEntry:
        self.recorded.append(event)
        return entry_of(event)

    def _sync_all(self, _connection: Any, events: Sequence[Any], _now: Any) -> list[list[Any]]:
        self.synced += events
        return [[] for _ in events]

    def _render(self, notice: Notice) -> RenderedNotice:
        self.mailed.append(notice)
        return render(notice)

    def counts(self) -> tuple[int, int, int]:
        return len(self.recorded), len(self.synced), len(self.mailed)


@pytest.fixture
def effects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Effects]:
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    effects = Effects(monkeypatch, database)
    yield effects
    effects.engine.close()
    database.dispose()


def handle(data: dict[str, Any]) -> None:
    events.handle_event.fn(data)


def spoiled(
    kind: str = "todo.created", *, owner: dict[str, Any] | None = None, **todo: Any
) -> dict[str, Any]:
    """An event as another service may write it: with values that nobody checked."""
    data = an_event(kind, todo=a_todo(reminders=["-1h"])).model_dump(mode="json")
    data["todo"] |= todo
    data["todo"]["owner"] |= owner or {}
    return data


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_is_parsed_once_for_all_its_effects(
    effects: Effects, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    data = an_event(kind).model_dump(mode="json")
    adapter = Mock(wraps=models._EVENT)
    monkeypatch.setattr(models, "_EVENT", adapter)
    handle(data)
    assert effects.counts() == (1, 1, 1)
    assert adapter.validate_python.call_count == 1


def test_what_is_done_at_once_is_announced_and_what_is_left_is_not(effects: Effects) -> None:
    event = an_event()
    effects.mailer.is_well = False
    handle(event.model_dump(mode="json"))
    assert [update.deed for update in effects.announced] == [Deed.EVENT_RECORDED]
    effects.mailer.is_well = True
    handle(event.model_dump(mode="json"))
    assert [update.deed for update in effects.announced[1:]] == [Deed.EVENT_RECORDED, Deed.MAIL_SENT]


def test_an_event_is_parsed_once_also_where_its_effects_become_jobs(
    effects: Effects, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = an_event().model_dump(mode="json")
    effects.mailer.is_well = False
    adapter = Mock(wraps=models._EVENT)
    monkeypatch.setattr(models, "_EVENT", adapter)
    handle(data)
    assert [job.actor_name for job in effects.jobs] == ["send_notification"]
    assert adapter.validate_python.call_count == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", "a" * 300 + "@example.com"),
        ("time_zone", "Mars/Olympus"),
        ("language", "klingon!"),
    ],
)
def test_an_owner_who_cannot_be_written_to_costs_no_audit_row(
    effects: Effects, caplog: pytest.LogCaptureFixture, field: str, value: str
) -> None:
    data = spoiled(owner={field: value})
    handle(data)
    assert effects.counts() == (1, 0, 0)
    assert effects.recorded[0].model_dump(mode="json")["todo"]["owner"][field] == value
    assert [job.actor_name for job in effects.jobs] == ["sync_reminder", "send_notification"]
    assert all(job.args == (data,) for job in effects.jobs)
    for job in effects.jobs:
        with pytest.raises(InvalidEvent, match=rf"todo\.owner\.{field}: "):
            tasks.broker.get_actor(job.actor_name).fn(*job.args)
    assert caplog.text.count(f"todo.owner.{field}: ") == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recurrence", "FREQ=SOMETIMES"),
        ("recurrence", "FREQ=DAILY;UNTIL=20200101"),
        ("reminders", ["-1h", "soon"]),
        ("reminders", ["-1h"] * 21),
    ],
)
def test_a_schedule_that_cannot_be_followed_costs_neither_audit_row_nor_mail(
    effects: Effects, field: str, value: Any
) -> None:
    handle(spoiled(**{field: value}))
    assert effects.counts() == (1, 0, 1)
    (job,) = effects.jobs
    assert job.actor_name == "sync_reminder"
    with pytest.raises(InvalidEvent, match=rf"todo\.{field}"):
        tasks.sync_reminder.fn(*job.args)


@pytest.mark.parametrize("kind", ["todo.completed", "todo.deleted"])
def test_who_closes_a_todo_cancels_its_reminders_whatever_its_owner_is(effects: Effects, kind: str) -> None:
    handle(spoiled(kind, owner={"email": "nobody"}, recurrence="FREQ=SOMETIMES"))
    assert effects.counts() == (1, 1, 0)


def test_a_todo_without_reminders_has_no_dead_letter_of_reminders(effects: Effects) -> None:
    handle(spoiled(owner={"email": "nobody"}, reminders=[]))
    assert [job.actor_name for job in effects.jobs] == ["send_notification"]


def test_what_was_wrong_before_an_update_is_nobodys_trouble(effects: Effects) -> None:
    data = an_event("todo.updated", todo=a_todo(reminders=["-1h"], recurrence="FREQ=DAILY")).model_dump(
        mode="json"
    )
    owner = data["todo"]["owner"]
    data["changes"] = {
        "owner": {"before": owner | {"email": "nobody"}, "after": owner},
        "recurrence": {"before": "now and then", "after": "FREQ=DAILY"},
    }
    handle(data)
    assert effects.counts() == (1, 1, 1)
    assert effects.recorded[0].changes["recurrence"].before == "now and then"


@pytest.mark.parametrize(
    "wrong",
    [
        {"owner": {"email": 5}},
        {"owner": {"email": "\0"}},
        {"owner": {"time_zone": None}},
        {"reminders": "-1h", "recurrence": {}},
        {"reminders": [1]},
        {"title": " "},
        {"due": "tomorrow"},
    ],
)
def test_what_cannot_even_be_recorded_is_refused_as_a_whole(effects: Effects, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidEvent):
        handle(spoiled(**wrong))
    assert effects.counts() == (0, 0, 0)
    assert effects.jobs == []


def test_two_events_of_a_todo_the_wrong_way_round_or_at_once_give_the_mails_of_each(effects: Effects) -> None:
    pair = [an_event(kind, todo=a_todo(title=kind)).model_dump(mode="json") for kind in KINDS[::2]]
    expected = {(kind.replace(".", "_"), kind) for kind in KINDS[::2]}
    for data in (*reversed(pair), *pair):
        handle(data)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(handle, pair))
    assert {(notice.kind, notice.values["title"]) for notice in effects.mailed} == expected
    # However often and in whichever order: the delivery row of each lets it go out once.
    assert len({notice.id for notice in effects.mailed}) == 2


def test_the_publisher_is_still_told_of_every_problem() -> None:
    data = spoiled(owner={"email": "nobody"}, recurrence="FREQ=SOMETIMES")
    with pytest.raises(InvalidEvent, match=r"(?s)todo\.recurrence: .*todo\.owner\.email: "):
        tasks.publish(data)


def test_an_effect_says_only_what_matters_to_it() -> None:
    read = read_event(spoiled(owner={"language": "?"}, recurrence="FREQ=SOMETIMES"))
    with pytest.raises(InvalidEvent) as caught:
        read.require(Part.OWNER)
    assert (
        str(caught.value)
        == "Not a valid todo event: todo.owner.language: is not a language tag like en or pt-BR"
    )
    read_any_event(an_event().model_dump(mode="json")).require(*Part)


class Alarmed:
    """Alarms that are set after three events, each in a trace of its own, and what came of that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, spans: KeptSpans) -> None:
        self.store = Mock(ReminderStore)
        self.told: list[Any] = []
        self.traces: dict[str, str] = {}
        self.refused = ""
        self.expected: dict[str, str] = {}
        self.work: list[Alarms] = []
        for number in range(3):
            data = an_event().model_dump(mode="json")
            alarm = AlarmToSet(str(UUID(int=number)), 1, datetime.now(UTC))
            with spans.tracer.start_as_current_span("event") as span:
                event = EventInHand(read_event(data), data, Mock())
                self.expected[alarm.reminder_id] = format_trace_id(span.get_span_context().trace_id)
            self.work.append(Alarms(event, [alarm]))
        monkeypatch.setattr(reminders, "reminder_store", lambda: self.store)
        monkeypatch.setattr(updates, "update_log", "updates")
        monkeypatch.setattr(updates, "announcer", lambda: self.told.append)
        monkeypatch.setattr(tasks.broker, "enqueue", self._enqueue)

    def _enqueue(self, job: dramatiq.Message[Any], *, delay: int) -> None:
        assert delay == 0
        if job.args[0] == self.refused:
            raise KafkaUnreachable("no Kafka")
        trace = ids()
        assert trace is not None
        self.traces[job.args[0]] = trace[0]


@pytest.fixture
def alarmed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Alarmed]:
    with kept_spans() as spans:
        yield Alarmed(monkeypatch, spans)


def test_alarms_of_many_traces_are_set_together_each_in_its_own(alarmed: Alarmed) -> None:
    events._set_alarms(alarmed.work)
    assert alarmed.traces == alarmed.expected
    assert alarmed.store.note_set.call_count == 1
    assert [update.deed for update in alarmed.told] == [Deed.REMINDER_SET] * 3


def test_where_one_alarm_of_many_is_not_set_their_jobs_set_and_tell_all(alarmed: Alarmed) -> None:
    alarmed.refused = str(UUID(int=2))
    with pytest.raises(KafkaUnreachable):
        events._set_alarms(alarmed.work)
    assert alarmed.told == []
    assert not alarmed.store.note_set.called
