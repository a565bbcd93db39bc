"""The todo chatbot's work: publish events here; `dramatiq tasks` runs what they cause.

Importing it is the composition root: it reads the settings, sets dramatiq's broker, declares the actors and
opens no connection. The packages:

    todos                 the todos themselves, for chatbot code
    publishing            write events for the workers
    actors                the jobs: parse, call, log
    effects               an event's audit row, reminders and mail, for many events at a time
    events                what the chatbot publishes: models, CloudEvents, schemas
    audit                 the append-only trail of all events
    notifications, smtp   a notice, its mail, that it goes out once; the mail server
    reminders, schedules  which reminders there are and when they fire; recurrences
    updates               what the jobs did, announced for whoever wants to know at once
    storage               the database: transactions, schema, migrations
    app                   all of it put together, from the settings; doctor, retry_policy
    outbox, outbox_checks the outbox and its relay; how it stands, for doctor and status
    cli, demo             commands of `todo-workers`
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .actors.audit import record_audit
from .actors.events import handle_event
from .actors.notifications import notice_job, send_notice, send_notification
from .actors.reminders import fire_reminder, reconcile_reminders, sync_reminder
from .app import broker, recipient_store, sessions
from .doctor import doctor_checks
from .events.models import (
    Change,
    Event,
    InvalidEvent,
    TodoCompleted,
    TodoCreated,
    TodoDeleted,
    TodoUpdated,
    parse_event,
)
from .events.todos import Owner, Todo
from .notifications.notice import InvalidNotice, Notice
from .notifications.quiet_hours import parse_quiet_hours
from .publishing import publish, publish_async

if TYPE_CHECKING:
    from .todos.service import TodoService
    from .todos.todos import StoredTodo, TodoExists, TodoNotFound, Todos

__all__ = [
    "Change",
    "Event",
    "InvalidEvent",
    "InvalidNotice",
    "Notice",
    "Owner",
    "StoredTodo",
    "Todo",
    "TodoCompleted",
    "TodoCreated",
    "TodoDeleted",
    "TodoExists",
    "TodoNotFound",
    "TodoService",
    "TodoUpdated",
    "Todos",
    "broker",
    "doctor_checks",
    "fire_reminder",
    "handle_event",
    "notice_job",
    "parse_event",
    "parse_quiet_hours",
    "publish",
    "publish_async",
    "recipient_store",
    "reconcile_reminders",
    "record_audit",
    "send_notice",
    "send_notification",
    "sessions",
    "sync_reminder",
]

#: Names that need SQLAlchemy, which a program that only publishes does without.
_LATER = {"TodoService": ".todos.service"} | dict.fromkeys(
    ("StoredTodo", "TodoExists", "TodoNotFound", "Todos"), ".todos.todos"
)


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name], __name__), name)
