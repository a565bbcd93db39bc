"""The tables of the reminders. They decide what fires when; the delayed jobs in Kafka only wake it up."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, String, Table, Text

from ..storage.column_types import BigInt, ExactJson, UtcDateTime, metadata
from .owner_address import OwnerAddress

#: One row for each todo that has had reminders. ``events`` has all events that are known of it, as
#: `seen_events` remembers them. The others follow from it: ``todo`` is the todo after the newest event; the
#: three columns of events name the newest, the one that opened the todo last, and the one that closed it.
reminded_todos = Table(
    "reminded_todos",
    metadata,
    Column("todo_id", Text, primary_key=True),
    Column("newest_event", Text, nullable=False, index=True),
    Column("opening_event", Text, nullable=True),
    Column("closing_event", Text, nullable=True),
    Column("todo", ExactJson, nullable=False),
    Column("events", ExactJson, nullable=True),
)

#: The address of a todo's owner.
OWNER = OwnerAddress(reminded_todos.c.todo)
Index("ix_reminded_todos_owner", OWNER)

#: One row for each offset of a todo. It stays when the reminder is cancelled, so that its version only ever
#: grows. ``occurrence`` is the due time that it reminds of; ``moved`` says whether ``alarm_at`` was set by
#: hand; ``alarm_version`` is the version that the last delayed job was sent for.
reminders = Table(
    "reminders",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("todo_id", Text, nullable=False, index=True),
    Column("before_due", String(16), nullable=False),
    Column("plan", Text, nullable=True),
    Column("state", String(16), nullable=False),
    Column("version", BigInt, nullable=False),
    Column("occurrence", UtcDateTime, nullable=True),
    Column("alarm_at", UtcDateTime, nullable=True),
    Column("moved", Boolean, nullable=False),
    Column("alarm_version", BigInt, nullable=False),
    Column("fired_occurrence", UtcDateTime, nullable=True),
    Column("fired_at", UtcDateTime, nullable=True),
    Index("ix_reminders_state_alarm_at", "state", "alarm_at"),
)

#: One row for each firing, stored in one transaction with the reminder's next state; its notice is sent
#: afterwards. ``notice`` is dropped once the queue has it.
reminder_firings = Table(
    "reminder_firings",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("reminder_id", String(36), nullable=False, index=True),
    Column("occurrence", UtcDateTime, nullable=False),
    Column("alarm_at", UtcDateTime, nullable=False),
    Column("fired_at", UtcDateTime, nullable=False, index=True),
    Column("outcome", String(16), nullable=False),
    Column("notice", ExactJson, nullable=True),
    Column("sent_at", UtcDateTime, nullable=True, index=True),
)
