"""Puts a record into a session: it becomes a row of the outbox when the session is flushed."""

from __future__ import annotations

import time

from sqlalchemy.orm import registry

from ..records.envelope import Record, size_of, with_headers
from ..records.headers import text_of
from ..traces.active import creating
from ..traces.names import TRACEPARENT
from .changes import note_added
from .session import AnySession
from .table import ROWS


class AddedRow:
    """A row of the outbox as SQLAlchemy writes it."""

    def __init__(self, **values: object) -> None:
        for name, value in values.items():
            setattr(self, name, value)


registry().map_imperatively(AddedRow, ROWS)


def add(session: AnySession, topic: str, record: Record, *, name: str, about: str) -> None:
    """Have ``record`` written to ``topic`` once the session's transaction is committed. Does no I/O.

    Rows of one topic and key are written in the order of their numbers, which the database gives at the
    flush: that is the order of the commits if each transaction locks what the key stands for before it
    flushes, as an UPDATE of that row does. ``name`` and ``about`` tell people what it is.
    """
    assert record.key is not None, "a record of ours has a key"
    assert record.value is not None, "a tombstone needs no transaction"
    if text_of(TRACEPARENT, record.headers) is None:
        with creating(topic) as context:
            record = with_headers(record, context)
    row = AddedRow(
        topic=topic,
        key=record.key,
        is_ordered=not record.anywhere,
        value=record.value,
        headers=[(header, value.decode("latin-1")) for header, value in record.headers],
        name=name,
        about=about,
        size=size_of(record),
        added_ms=time.time_ns() // 1_000_000,
    )
    session.add(row)
    note_added(session.info)
