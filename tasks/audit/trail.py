"""The audit trail: one row for each event, added and never changed, each chained to the one before."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Connection, Index, Row, String, Table, Text, bindparam, func, select, union_all

from workers.measures.metrics import Counter
from workers.traces.active import here, note
from workers.traces.names import AUDIT_APPEND, AUDIT_OUTCOME

from ..events.models import AnyEvent
from ..storage.column_types import BigInt, ExactJson, UtcDateTime, metadata
from ..storage.database import Database
from ..storage.prepared import Prepared, PreparedLookUp
from .chain import AuditEntry, Head, chained
from .entries import entry_of, says_the_same

_ROWS = Counter("audit_rows_total", "Rows that were added to the audit trail.")

#: Key of the advisory lock under which one process at a time extends the chain on PostgreSQL.
_CHAIN_LOCK = 0x61756469

audit_trail = Table(
    "audit_trail",
    metadata,
    # Counted here: a database's own counter leaves gaps, and a gap must mean that rows are missing.
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

_C = audit_trail.c
# Built once: building a statement costs more than executing it.
_THE_IDS = _C.event_id.in_(bindparam("event_ids", expanding=True))
_LAST = select(func.max(_C.sequence)).scalar_subquery()
_ENDS = select(_C.sequence, _C.hash, _C.event_id)
# Two statements in one: each costs a trip to the database.
_END_AND_KNOWN = PreparedLookUp(
    lambda ids: union_all(_ENDS.where(_C.sequence == _LAST), _ENDS.where(_C.event_id.in_(ids)))
)
_KNOWN = select(audit_trail).where(_THE_IDS)
_INSERT = Prepared(audit_trail.insert(), audit_trail.columns.keys())


class Recording(StrEnum):
    """The outcome of recording an event."""

    RECORDED = "recorded"
    #: The event has a row already, which says the same.
    REPEATED = "repeated"
    #: Its id has a row already, which says something else and stays as it is.
    DIFFERS = "differs"


class AuditStore:
    """Writes the audit trail to one database; many threads may use it, and their rows share transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._append = database.together(append)

    def record(self, event: AnyEvent, *, recorded_at: datetime) -> Recording:
        """Add the event's row, unless it has one; the row is committed when this returns.

        Raises:
            DatabaseError: the database did not take the row.
        """
        began_ns = time.time_ns()
        recorded = self._append((entry_of(event), recorded_at))
        note(AUDIT_APPEND, here(), began_ns, {AUDIT_OUTCOME: recorded.value})
        note_rows([recorded])
        return recorded

    def record_all(self, events: Iterable[AnyEvent], *, recorded_at: datetime) -> Sequence[Recording]:
        """Record all of them in one transaction, otherwise as `record`."""
        entries = [(entry_of(event), recorded_at) for event in events]
        recorded = self._database.write(lambda connection: append(connection, entries))
        note_rows(recorded)
        return recorded


def note_rows(recorded: Iterable[Recording]) -> None:
    """Count the rows that were added; once their transaction has ended well."""
    _ROWS.add(by=sum(one is Recording.RECORDED for one in recorded))


def append(connection: Connection, entries: Sequence[tuple[AuditEntry, datetime]]) -> Sequence[Recording]:
    """Add the entries, each with the time at which it is recorded, in the transaction of ``connection``.

    On PostgreSQL nobody else adds any from then on until the transaction ends. Raises SQLAlchemy's errors.
    """
    if not entries:
        return []
    outcomes: list[Recording] = []
    rows = []
    head, known = _lock_and_look(connection, [entry.event_id for entry, _ in entries])
    for entry, recorded_at in entries:
        earlier = known.setdefault(entry.event_id, entry)
        if earlier is entry:
            row = chained(entry, head, recorded_at)
            head = Head(row["sequence"], row["hash"])
            rows.append(row)
            outcomes.append(Recording.RECORDED)
        else:
            outcomes.append(Recording.REPEATED if says_the_same(earlier, entry) else Recording.DIFFERS)
    if rows:
        _INSERT.execute(connection, rows)
    return outcomes


def _lock_and_look(connection: Connection, event_ids: Sequence[str]) -> tuple[Head, dict[str, AuditEntry]]:
    """Read the end of the chain, which nobody else extends until the transaction ends, and known entries."""
    if connection.dialect.name == "postgresql":
        # SQLite needs no lock: its write transaction keeps every other writer out.
        connection.execute(select(func.pg_advisory_xact_lock(_CHAIN_LOCK)))
    rows = _END_AND_KNOWN.rows(connection, event_ids)
    last = max(rows, key=lambda row: row.sequence, default=None)
    head = Head(last.sequence, last.hash) if last else Head()
    if {row.event_id for row in rows}.isdisjoint(event_ids):
        return head, {}
    return head, {row.event_id: _entry(row) for row in connection.execute(_KNOWN, {"event_ids": event_ids})}


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(**{name: getattr(row, name) for name in AuditEntry.__dataclass_fields__})
