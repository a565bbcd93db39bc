"""Reads the audit trail, page by page: neither memory nor a transaction grows with its length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from ..storage.database import Database
from .trail import audit_trail

#: A row of the audit trail, by column.
Row = dict[str, Any]

_PAGE_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows are wanted: those that fit all that is given; ``since`` and ``until`` are of the event."""

    todo_id: str | None = None
    actor: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def newest(database: Database, wanted: AuditFilter, limit: int | None = None) -> Iterator[Row]:
    """Give the rows that match, the last recorded first, at most ``limit`` of them."""
    statement = _matching(wanted).order_by(audit_trail.c.sequence.desc())
    last: int | None = None
    left = limit
    while left is None or left > 0:
        size = _PAGE_SIZE if left is None else min(left, _PAGE_SIZE)
        beyond = statement if last is None else statement.where(audit_trail.c.sequence < last)
        page = _page(database, beyond.limit(size))
        yield from page
        if len(page) < size:
            return
        last = page[-1]["sequence"]
        left = left and left - size


def history(database: Database, todo_id: str) -> Iterator[Row]:
    """Give the rows of one todo in the order in which they were recorded."""
    statement = _matching(AuditFilter(todo_id=todo_id)).order_by(audit_trail.c.sequence).limit(_PAGE_SIZE)
    last = 0
    while True:
        page = _page(database, statement.where(audit_trail.c.sequence > last))
        yield from page
        if len(page) < _PAGE_SIZE:
            return
        last = page[-1]["sequence"]


def _page(database: Database, statement: Select[Any]) -> list[Row]:
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


def _matching(wanted: AuditFilter) -> Select[Any]:
    columns = audit_trail.c
    statement = select(audit_trail)
    equal = {columns.todo_id: wanted.todo_id, columns.actor: wanted.actor, columns.type: wanted.type}
    for column, value in equal.items():
        if value is not None:
            statement = statement.where(column == value)
    if wanted.since is not None:
        statement = statement.where(columns.time >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(columns.time <= wanted.until)
    return statement
