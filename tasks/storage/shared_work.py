"""Lets one worker of the fleet do a piece of regular work, whichever comes first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, ColumnElement, String, Table, and_, or_, select, update

from .column_types import UtcDateTime, metadata
from .database import Database

_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


class SharedWork:
    """A piece of work, by its name; the database keeps when it was last begun."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    def begin(self, now: datetime, every: timedelta) -> bool:
        """Whether the caller is to do the work now, as nobody has begun it for the time of ``every``.

        True for one of many that ask at the same time. Raises DatabaseError.
        """
        if not self._is_due(now, every):
            return False
        row = {"name": self._name, "begun_at": _BEFORE_ALL}
        insert = self._database.insert(shared_work).values(row)
        begin = update(shared_work).where(self._due(now, every)).values(begun_at=now)
        with self._database.writing() as connection:
            connection.execute(insert.on_conflict_do_nothing(index_elements=["name"]))
            return connection.execute(begin).rowcount == 1

    def give_back(self) -> None:
        """Let another worker begin at once, as the caller could not do the work. Raises DatabaseError."""
        undo = update(shared_work).where(shared_work.c.name == self._name).values(begun_at=_BEFORE_ALL)
        with self._database.writing() as connection:
            connection.execute(undo)

    def _is_due(self, now: datetime, every: timedelta) -> bool:
        """Check without holding up a writer: mostly there is nothing to do."""
        name = shared_work.c.name
        with self._database.reading() as connection:
            if connection.execute(select(name).where(name == self._name)).first() is None:
                return True
            return connection.execute(select(name).where(self._due(now, every))).first() is not None

    def _due(self, now: datetime, every: timedelta) -> ColumnElement[bool]:
        begun_at = shared_work.c.begun_at
        # A time far in the future was written by a clock that was wrong.
        is_due = or_(begun_at <= now - every, begun_at > now + every)
        return and_(shared_work.c.name == self._name, is_due)


#: When each piece of work was last begun.
shared_work = Table(
    "shared_work",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("begun_at", UtcDateTime, nullable=False),
)
