"""The audit trail: one row for each event, added and never changed, each chained to the one before."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Connection, Index, String, Table, Text, func, select

from .audit_chain import Head, chained
from .audit_entries import entry_of
from .database import Database
from .events import AnyEvent
from .tables import BigInt, ExactJson, UtcDateTime, metadata

#: Key of the advisory lock under which one process at a time extends the chain on PostgreSQL.
_CHAIN_LOCK = 0x61756469

audit_trail = Table(
    "audit_trail",
    metadata,
    # Counted by us: a database's own counter leaves gaps, and a gap is to mean that rows are missing.
    Column("sequence", BigInt, primary_key=True, autoincrement=False),
    # As text on both databases, so that an id from a log line finds its row.
    Column("event_id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("time", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("actor", Text),
    Column("todo_id", Text),
    Column("before", ExactJson),
    Column("after", ExactJson),
    Column("details", ExactJson, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index(None, "todo_id", "sequence"),
    Index(None, "time"),
)


class AuditStore:
    """Writes the audit trail to one database; safe for use by many threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, event: AnyEvent, *, recorded_at: datetime) -> bool:
        """Add the event's row; give False, and change nothing, if it has one already.

        The row is committed when this returns.

        Raises:
            StoreError: the database did not take it.
        """
        entry = entry_of(event)
        with self._database.writing() as connection:
            head = _head_to_extend(connection)
            known = select(audit_trail.c.sequence).where(audit_trail.c.event_id == entry.event_id)
            if connection.execute(known).first() is not None:
                return False
            connection.execute(audit_trail.insert(), chained(entry, head, recorded_at))
            return True


def _head_to_extend(connection: Connection) -> Head:
    """Read the end of the chain, which nobody else extends until the transaction ends."""
    if connection.dialect.name == "postgresql":
        # SQLite needs none: its write transaction keeps every other writer out.
        connection.execute(select(func.pg_advisory_xact_lock(_CHAIN_LOCK)))
    columns = audit_trail.c
    last = select(columns.sequence, columns.hash).order_by(columns.sequence.desc()).limit(1)
    row = connection.execute(last).first()
    return Head(row.sequence, row.hash) if row else Head()
