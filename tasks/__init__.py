"""The todo chatbot's work: publish events here; `dramatiq tasks` runs what they cause.

Importing it reads the settings, sets dramatiq's broker and declares the actors; it opens no connection.
"""

from tasks.app import broker, recipient_store
from tasks.publishing import publish, publish_async

from .actors.audit import record_audit
from .actors.events import handle_event
from .actors.notifications import notice_job, send_notice, send_notification
from .actors.reminders import fire_reminder, reconcile_reminders, sync_reminder
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

__all__ = [
    "Change",
    "Event",
    "InvalidEvent",
    "InvalidNotice",
    "Notice",
    "Owner",
    "Todo",
    "TodoCompleted",
    "TodoCreated",
    "TodoDeleted",
    "TodoUpdated",
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
    "sync_reminder",
]
