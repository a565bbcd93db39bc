"""The script of the demo: what the chatbot does, and which effects must follow. Pure.

An effect finds its step by its mark: the event's id for an audit row, the job's id for a mail or a dead
letter, the record's key for a record that never became a job.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from ..actors.audit import record_audit
from ..actors.event_jobs import job_id
from ..actors.events import EFFECT_ACTORS, handle_event
from ..actors.notifications import send_notification
from ..events.models import Change, Event, TodoCompleted, TodoCreated, TodoDeleted, TodoUpdated
from ..events.todos import Owner, Todo
from ..reminders.firings import firing_id
from ..reminders.plans import reminder_id
from ..schedules.alarms import Alarm

#: The recipient that the demo's mail server refuses, until his mailbox is made.
REFUSED_EMAIL = "tom@example.org"
#: The recipient whose first mails the server defers, and how many of them.
DEFERRED_EMAIL = "nora@example.net"
DEFERRALS = 2
#: How far ahead the reminder is set: longer than the steps before it take.
_REMIND_IN = timedelta(seconds=8)

HTML_TITLE = 'Ring <b>Zoë</b> & 東京 <script>alert("hi")</script>'
ESCAPED_TITLE = "Ring &lt;b&gt;Zoë&lt;/b&gt; &amp; 東京 &lt;script&gt;alert(&#34;hi&#34;)&lt;/script&gt;"

#: Neither JSON nor UTF-8, as a broken producer might write it.
UNDECODABLE = b'{"specversion": "1.0", "type": "todo.created", "data": [\xff\xfe'


class Kind(StrEnum):
    """The kinds of effects."""

    ROW = "audit row"
    MAIL = "mail"
    LETTER = "dead letter"
    DEFERRAL = "try later"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An effect that must be seen, once.

    ``says`` is the type in an audit row, the subject of a mail, the reason of a dead letter. ``holds`` must
    be in the HTML part of a mail, in the error of a dead letter.
    """

    job: str
    kind: Kind
    says: str
    holds: str = ""


@dataclass(frozen=True, slots=True)
class Publish:
    """The chatbot, or another service without our code, publishes ``event``, ``times`` times."""

    event: Event
    times: int = 1
    by_other: bool = False

    @property
    def marks(self) -> frozenset[str]:
        jobs = (job_id(self.event.event_id, actor) for actor in EFFECT_ACTORS.values())
        return frozenset(str(mark) for mark in (self.event.event_id, *jobs))


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Somebody writes bytes to the event log, past every check."""

    key: str
    value: bytes

    @property
    def marks(self) -> frozenset[str]:
        return frozenset([self.key])


@dataclass(frozen=True, slots=True)
class Replay:
    """An operator replays the dead letter of the mail about ``event``, now that the mailbox exists."""

    event: Event

    @property
    def job(self) -> str:
        return str(job_id(self.event.event_id, send_notification))

    @property
    def marks(self) -> frozenset[str]:
        return frozenset([self.job])


@dataclass(frozen=True, slots=True)
class Operate:
    """An operator types a command that has no effect to be seen from outside."""

    command: tuple[str, ...]

    @property
    def marks(self) -> frozenset[str]:
        return frozenset()


@dataclass(frozen=True, slots=True)
class Remind:
    """Nobody acts: a reminder of the todo in ``event``, which was published earlier, is due."""

    event: Event

    @property
    def due(self) -> datetime:
        assert self.event.todo.due is not None
        return self.event.todo.due

    @property
    def marks(self) -> frozenset[str]:
        todo = self.event.todo
        alarm = Alarm(self.due, self.due)
        return frozenset(firing_id(reminder_id(todo.id, offset), alarm, None) for offset in todo.reminders)


@dataclass(frozen=True, slots=True)
class Step:
    """One action and all effects that must follow; ``label`` names it in the summary.

    With ``waits`` the next step begins only when all effects were seen, or should have been.
    """

    label: str
    title: str
    action: Publish | WriteRecord | Replay | Operate | Remind
    wanted: tuple[Wanted, ...]
    waits: bool = True


def script(now: datetime) -> tuple[Step, ...]:
    """Make the steps, new ones each time: event ids are random."""
    mia = _owner("Mia Grün", "mia@example.com", "Europe/Vienna", language="de-AT")
    ken = _owner("佐藤 健", "ken@example.com", "Asia/Tokyo")
    passport = Todo(id="todo-4", title="Renew passport", owner=ken)
    refused = _refused()
    reminded = _with_reminder(now)
    return (
        reminded,
        _deferred(),
        *_life_of_a_todo(now),
        _mailed(
            "HTML title",
            "Mia adds a todo with HTML and non-ASCII in its title; her mails are in German",
            _creation(Todo(id="todo-2", title=HTML_TITLE, owner=mia)),
            f"Neues Todo: {HTML_TITLE}",
            html=ESCAPED_TITLE,
        ),
        refused,
        _undecodable(),
        _mailed(
            "other service",
            "Another service adds a todo for Mia, with an event in binary mode",
            _creation(Todo(id="todo-5", title="Pay the invoice", owner=mia)),
            "Neues Todo: Pay the invoice",
            by_other=True,
        ),
        _mailed(
            "published twice",
            "Ken adds a todo; its event is published twice",
            _creation(passport),
            "New todo: Renew passport",
            times=2,
        ),
        *_opted_out(passport),
        _reminder(reminded),
        _replayed(refused),
        Step("audit", "Nobody has tampered with the audit trail", Operate(("audit", "verify")), ()),
    )


def _with_reminder(now: datetime) -> Step:
    due = (now + _REMIND_IN).replace(microsecond=0)
    eva = _owner("Eva Lind", "eva@example.com", "Europe/Stockholm")
    event = _creation(Todo(id="todo-7", title="Call the bank", due=due, reminders=("0m",), owner=eva))
    title = f"Eva adds a todo that is due in {_REMIND_IN.seconds} seconds, with a reminder at its due time"
    return _mailed("with a reminder", title, event, "New todo: Call the bank")


def _reminder(step: Step) -> Step:
    assert isinstance(step.action, Publish)
    mail = Wanted("send_notice", Kind.MAIL, "Reminder: Call the bank")
    return Step("reminder", "Eva's todo is due", Remind(step.action.event), (mail,))


def _deferred() -> Step:
    nora = _owner("Nora Dahl", DEFERRED_EMAIL, "Europe/Oslo")
    step = _mailed(
        "third attempt",
        "Nora adds a todo; the mail server takes her mail at the third attempt, meanwhile life goes on",
        _creation(Todo(id="todo-8", title="Pick up the parcel", owner=nora)),
        "New todo: Pick up the parcel",
    )
    return replace(step, waits=False)


def _opted_out(todo: Todo) -> tuple[Step, ...]:
    completed = TodoCompleted(actor="user:ken", todo=todo)
    opt_out = Operate(("recipients", "opt-out", todo.owner.email, "todo_completed"))
    return (
        Step("opt-out", "Ken wants no mails any more about what he completes", opt_out, ()),
        Step("opted out", "Ken completes it: a row, and no mail", Publish(completed), (_row(completed),)),
    )


def _replayed(refused: Step) -> Step:
    assert isinstance(refused.action, Publish)
    title = "Tom's mailbox is there now; an operator replays his dead letter"
    mail = Wanted(send_notification.actor_name, Kind.MAIL, "New todo: Water the plants")
    return Step("replayed", title, Replay(refused.action.event), (mail,))


def _life_of_a_todo(now: datetime) -> tuple[Step, ...]:
    due = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=3)
    later = due + timedelta(days=4)
    todo = Todo(
        id="todo-1",
        title="Book flights",
        description="Berlin to Lisbon, aisle seats.",
        due=due,
        owner=_owner("Ana Petrović", "ana@example.com", "Europe/Berlin"),
    )
    moved = todo.model_copy(update={"due": later})
    change = Change(before=due.isoformat(), after=later.isoformat())
    changed = TodoUpdated(actor="user:ana", todo=moved, changes={"due": change})
    completed = TodoCompleted(actor="user:ana", todo=moved)
    deleted = TodoDeleted(actor="user:ana", todo=moved)
    return (
        _mailed("created", "Ana adds a todo", _creation(todo), "New todo: Book flights"),
        _mailed("changed", "Ana moves it by four days", changed, "Todo changed: Book flights"),
        _mailed("completed", "Ana completes it", completed, "Todo completed: Book flights"),
        _mailed("deleted", "Ana deletes it", deleted, "Todo deleted: Book flights"),
    )


def _refused() -> Step:
    tom = _owner("Tom Ode", REFUSED_EMAIL, "Europe/London")
    event = _creation(Todo(id="todo-3", title="Water the plants", owner=tom))
    letter = Wanted(send_notification.actor_name, Kind.LETTER, "failed", holds="550")
    title = "Tom adds a todo, but the mail server refuses his address"
    return Step("refused address", title, Publish(event), (_row(event), letter))


def _undecodable() -> Step:
    queue = handle_event.queue_name
    letter = Wanted(f"queue {queue}", Kind.LETTER, "undecodable")
    title = "Somebody writes bytes that are no event to the event log"
    return Step("undecodable", title, WriteRecord(key="by-hand", value=UNDECODABLE), (letter,))


def _mailed(
    label: str,
    title: str,
    event: Event,
    subject: str,
    *,
    times: int = 1,
    by_other: bool = False,
    html: str = "",
) -> Step:
    # A repeated event has no further effect: one mail, one audit row.
    mail = Wanted(send_notification.actor_name, Kind.MAIL, subject, holds=html)
    return Step(label, title, Publish(event, times, by_other), (_row(event), mail))


def _row(event: Event) -> Wanted:
    return Wanted(record_audit.actor_name, Kind.ROW, event.type)


def _creation(todo: Todo) -> TodoCreated:
    return TodoCreated(actor=f"user:{todo.owner.email.partition('@')[0]}", todo=todo)


def _owner(name: str, email: str, time_zone: str, language: str = "en") -> Owner:
    return Owner(name=name, email=email, time_zone=time_zone, language=language)
