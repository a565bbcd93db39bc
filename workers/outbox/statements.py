"""The statements that read and change the table. No I/O here: each takes a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Text, cast, delete, func, select, update

from .in_hand import Row
from .table import ROWS

#: The most numbers in one statement.
_MANY = 1_000
#: Counting stops there: a table of millions takes long to count.
COUNT_LIMIT = 100_000

#: As they are: a row that cannot be understood must not keep others from being read.
_COLUMNS = [
    cast(column, Text).label(column.name) if column.name == "headers" else column
    for column in ROWS.c
    if column.name not in {"aside_ms", "error"}
]


class Counts(NamedTuple):
    """How many rows there are, up to `COUNT_LIMIT`, and when the oldest that waits was added."""

    waiting: int
    oldest_ms: int | None
    set_aside: int


def read_rows(
    connection: Connection, *, but: Sequence[int], but_topics: Sequence[str], limit: int, max_bytes: int
) -> list[Row]:
    """The first rows that wait, in the order of their numbers, without those in ``but`` and ``but_topics``.

    At most ``limit``, and as many as fit into ``max_bytes``. There is no position to go on from: a row
    of a transaction that was committed late has a low number, and is found like any other.
    """
    wanted = select(*_COLUMNS).where(ROWS.c.aside_ms.is_(None)).order_by(ROWS.c.id).limit(limit)
    if but:
        wanted = wanted.where(ROWS.c.id.not_in(but))
    if but_topics:
        wanted = wanted.where(ROWS.c.topic.not_in(but_topics))
    first = wanted.subquery()
    up_to = func.sum(first.c.size).over(order_by=first.c.id).label("up_to")
    counted = select(first, up_to).subquery()
    columns = [counted.c[column.name] for column in _COLUMNS]
    fitting = select(*columns).where(counted.c.up_to - counted.c.size < max_bytes).order_by(counted.c.id)
    return [Row._make(found) for found in connection.execute(fitting)]


def delete_rows(connection: Connection, ids: Sequence[int], *, only_aside: bool = False) -> int:
    """Delete rows; returns how many there were."""
    count = 0
    for start in range(0, len(ids), _MANY):
        rows = delete(ROWS).where(ROWS.c.id.in_(ids[start : start + _MANY]))
        count += connection.execute(rows.where(ROWS.c.aside_ms.is_not(None)) if only_aside else rows).rowcount
    return count


def set_aside(connection: Connection, row_id: int, error: str, now_ms: int) -> None:
    """Keep a row out of the way of the others."""
    rows = update(ROWS).where(ROWS.c.id == row_id).values(aside_ms=now_ms, error=error.replace("\0", ""))
    connection.execute(rows)


def retry_rows(connection: Connection, ids: Sequence[int] | None) -> int:
    """Let rows that were set aside wait again, None for all; returns how many there were."""
    rows = update(ROWS).where(ROWS.c.aside_ms.is_not(None)).values(aside_ms=None, error=None)
    return connection.execute(rows if ids is None else rows.where(ROWS.c.id.in_(ids))).rowcount


def drop_all_aside(connection: Connection) -> int:
    """Delete all rows that were set aside; returns how many there were."""
    return connection.execute(delete(ROWS).where(ROWS.c.aside_ms.is_not(None))).rowcount


def count_rows(connection: Connection) -> Counts:
    """Count the rows."""

    def count(is_aside: bool) -> int:
        aside = ROWS.c.aside_ms.is_not(None) if is_aside else ROWS.c.aside_ms.is_(None)
        some = select(ROWS.c.id).where(aside).limit(COUNT_LIMIT).subquery()
        return connection.execute(select(func.count()).select_from(some)).scalar_one()

    oldest = select(ROWS.c.added_ms).where(ROWS.c.aside_ms.is_(None)).order_by(ROWS.c.id).limit(1)
    return Counts(count(False), connection.execute(oldest).scalar_one_or_none(), count(True))


def list_rows(connection: Connection, *, aside: bool, limit: int) -> list[dict[str, Any]]:
    """Rows as people see them, without their value."""
    names = ("id", "topic", "key", "name", "about", "size", "added_ms", "aside_ms", "error")
    rows = select(*(ROWS.c[name] for name in names)).order_by(ROWS.c.id).limit(limit)
    rows = rows.where(ROWS.c.aside_ms.is_not(None) if aside else ROWS.c.aside_ms.is_(None))
    return [
        {**row, "key": row["key"].decode(errors="replace")} for row in connection.execute(rows).mappings()
    ]
