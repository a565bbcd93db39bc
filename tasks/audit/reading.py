"""Reads the audit trail, page by page: neither memory nor a transaction grows with its length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from ..events.models import EVENT_TYPES
from ..storage.database import Database
from .entries import LOG_POSITION
from .trail import audit_trail

#: A row of the audit trail, by column.
Row = Mapping[str, Any]

#: Executes the statement of one page. The rows it returns have their ``sequence``.
ReadPage = Callable[[Connection, Select[Any]], Sequence[Row]]

#: Rows of one page, and so of one transaction.
PAGE_SIZE = 1_000

_SEQUENCE = audit_trail.c.sequence
_TIME = audit_trail.c.time


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """The rows that match everything set here.

    ``since`` and ``until`` are times of the event, inclusive; ``above`` and ``below`` are sequences,
    exclusive. An event has one of ``types``.
    """

    todo_id: str | None = None
    actor: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    event_id: str | None = None
    below: int | None = None
    types: tuple[str, ...] | None = None
    above: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as conditions of SQL."""
        columns = audit_trail.c
        equal = {
            columns.todo_id: self.todo_id,
            columns.actor: self.actor,
            columns.type: self.type,
            columns.event_id: self.event_id,
        }
        found = [column == value for column, value in equal.items() if value is not None]
        if self.since is not None:
            found.append(columns.time >= self.since)
        if self.until is not None:
            found.append(columns.time <= self.until)
        if self.below is not None:
            found.append(columns.sequence < self.below)
        if self.above is not None:
            found.append(columns.sequence > self.above)
        if self.types is not None:
            found.append(columns.type.in_(self.types))
        return found

    def matches(self, row: Row) -> bool:
        """Whether a row has all that is set, as `conditions` asks the database."""
        equal = ("todo_id", "actor", "type", "event_id")
        return (
            all(getattr(self, name) in (None, row[name]) for name in equal)
            and (self.since is None or row["time"] >= self.since)
            and (self.until is None or row["time"] <= self.until)
            and (self.below is None or row["sequence"] < self.below)
            and (self.above is None or row["sequence"] > self.above)
            and (self.types is None or row["type"] in self.types)
        )


def newest(
    database: Database, wanted: AuditFilter, limit: int | None = None, *, page_size: int = PAGE_SIZE
) -> Iterator[Row]:
    """Yield the rows that match, the last recorded first, at most ``limit`` of them. Raises DatabaseError."""
    return pages(database, wanted, newest_first=True, limit=limit, page_size=page_size)


def latest(database: Database, wanted: AuditFilter) -> Row | None:
    """Return the row that matches whose event is the newest; of the same time, the one recorded last.

    An older event may be recorded after it, as when it is replayed. Raises DatabaseError.
    """
    statement = select(audit_trail).where(*wanted.conditions()).order_by(_TIME.desc(), _SEQUENCE.desc())
    with database.reading() as connection:
        return next(iter(read_rows(connection, statement.limit(1))), None)


def history(database: Database, todo_id: str, *, page_size: int = PAGE_SIZE) -> Iterator[Row]:
    """Yield the rows of one todo in the order of their times; of the same time, in the order of the log.

    Rows of the same time that are of no log, or of several partitions, come as they were recorded. Raises
    DatabaseError.
    """
    rows = pages(database, AuditFilter(todo_id=todo_id), by_time=True, page_size=page_size)
    for _, together in groupby(rows, key=itemgetter("time")):
        yield from sorted(together, key=_place_in_log)


def todo_in(row: Row) -> Mapping[str, Any] | None:
    """The whole todo after the event of a row; of a deleted one, before. None if it is about none."""
    if row["type"] not in EVENT_TYPES:
        return None
    found = row["details"].get("todo") or row["after"] or row["before"]
    return found if isinstance(found, dict) else None


def _place_in_log(row: Row) -> tuple[int, int]:
    details = row["details"]
    place = details.get(LOG_POSITION) if isinstance(details, dict) else None
    try:
        return (place["partition"], place["offset"]) if isinstance(place, dict) else (-1, -1)
    except KeyError:  # somebody changed the row
        return (-1, -1)


def read_rows(connection: Connection, statement: Select[Any]) -> Sequence[Row]:
    """Execute the statement of a page; each row has all its columns."""
    return [dict(row) for row in connection.execute(statement).mappings()]


def pages(
    database: Database,
    wanted: AuditFilter,
    *,
    newest_first: bool = False,
    by_time: bool = False,
    limit: int | None = None,
    page_size: int = PAGE_SIZE,
    read: ReadPage = read_rows,
) -> Iterator[Row]:
    """Yield the rows that match in the order of their sequence, each page from a transaction of its own.

    ``by_time`` orders them by the time of the event first, the oldest first.

    So rows that are added meanwhile are seen if the oldest come first, and no long reader holds up the
    database. Raises DatabaseError.
    """
    order = [_TIME, _SEQUENCE] if by_time else [_SEQUENCE.desc() if newest_first else _SEQUENCE]
    statement = following = select(audit_trail).where(*wanted.conditions()).order_by(*order)
    left = limit
    while left is None or left > 0:
        size = page_size if left is None else min(left, page_size)
        with database.reading() as connection:
            page = read(connection, following.limit(size))
        yield from page
        if len(page) < size:
            return
        last = page[-1]["sequence"]
        beyond = last > _SEQUENCE if newest_first else last < _SEQUENCE
        if by_time:
            time = page[-1]["time"]
            beyond = or_(time < _TIME, and_(time == _TIME, beyond))
        following = statement.where(beyond)
        left = None if left is None else left - size
