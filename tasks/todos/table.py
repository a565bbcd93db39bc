"""The tables of the todos and of the outbox."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from workers.outbox.table import outbox_table

from ..storage.column_types import ExactJson, UtcDateTime, metadata

#: One row for each todo that is not deleted. ``owner`` is the owner's address in lower case.
todos = Table(
    "todos",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("todo", ExactJson, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("completed_at", UtcDateTime, nullable=True),
    Index("ix_todos_owner_created_at", "owner", "created_at"),
)

#: Events and jobs that wait to be written to Kafka.
outbox = outbox_table(metadata)
