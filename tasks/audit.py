"""The audit trail: one row for each event, added and never changed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects import postgresql, sqlite

from .events import TodoEvent
from .store import create_tables, errors_of


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps no zone, so it is taken off and put on again here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.replace(tzinfo=UTC)


metadata = MetaData()

audit_log = Table(
    "audit_log",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    # As text on both databases, so that an id from a log line finds its row.
    Column("event_id", String(36), nullable=False, unique=True),
    Column("type", String(64), nullable=False),
    Column("time", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("todo_id", Text, nullable=False, index=True),
    Column("payload", JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
)


class AuditStore:
    """Writes the audit trail to one database; safe for use by many threads.

    The table is created before the first row, where it does not exist yet.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
        # SQLAlchemy forgets how many rows an insert added, unless told otherwise.
        self._insert = (
            insert(audit_log)
            .on_conflict_do_nothing(index_elements=["event_id"])
            .execution_options(preserve_rowcount=True)
        )
        self._ready = False
        self._lock = threading.Lock()

    def record(self, event: TodoEvent, *, recorded_at: datetime) -> bool:
        """Add the event's row; give False, and change nothing, if it has one already.

        The row is committed when this returns.

        Raises:
            StoreError: the database did not take it.
        """
        self._create_table_once()
        row = {
            "event_id": str(event.event_id),
            "type": event.type,
            "time": event.time,
            "recorded_at": recorded_at,
            "actor": event.actor,
            "todo_id": event.todo.id,
            "payload": event.model_dump(mode="json"),
        }
        with errors_of(self._engine), self._engine.begin() as connection:
            return connection.execute(self._insert, row).rowcount == 1

    def _create_table_once(self) -> None:
        with self._lock:
            if not self._ready:
                create_tables(self._engine, metadata)
                self._ready = True
