"""The tables of the reminders: the truth about what fires when. The delayed jobs are only the alarm clock."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, String, Table, Text

from ..storage.column_types import BigInt, ExactJson, UtcDateTime, metadata

#: Todos that have had reminders, as they are after the newest event that is known. The three columns of
#: events hold `reminder_state.order_of`: which event that was, which one opened the todo last, which one
#: closed it.
reminded_todos = Table(
    "reminded_todos",
    metadata,
    Column("todo_id", Text, primary_key=True),
    Column("newest_event", Text, nullable=False),
    Column("opening_event", Text, nullable=True),
    Column("closing_event", Text, nullable=True),
    Column("todo", ExactJson, nullable=False),
)

#: One row for each offset of a todo, kept also when it is cancelled, so that its version only ever grows.
#: ``occurrence`` is the due time that it reminds of, ``moved`` whether ``alarm_at`` was set by hand;
#: ``alarm_version`` is the version that the last delayed job was sent for.
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

#: What fired: written with the reminder's next state in one transaction, and sent afterwards. ``notice`` is
#: there until it was handed to the queue.
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
