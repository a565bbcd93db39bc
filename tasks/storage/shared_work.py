"""Work that any worker may do, and one of them is to do now and then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, ColumnElement, String, Table, and_, or_, select, update

from .column_types import UtcDateTime, metadata
from .database import Database

_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


class SharedWork:
    """A piece of work, by its name, whose last beginning is kept in the database."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    def begin(self, now: datetime, every: timedelta) -> bool:
        """Whether it is to be begun now, by the caller: nobody has for the time of ``every``.

        Of many who ask at the same time, one is told so. Raises DatabaseError.
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
        """Let another begin it at once: the caller could not. Raises DatabaseError."""
        undo = update(shared_work).where(shared_work.c.name == self._name).values(begun_at=_BEFORE_ALL)
        with self._database.writing() as connection:
            connection.execute(undo)

    def _is_due(self, now: datetime, every: timedelta) -> bool:
        """A look that holds up no writer: mostly there is nothing to do."""
        name = shared_work.c.name
        with self._database.reading() as connection:
            if connection.execute(select(name).where(name == self._name)).first() is None:
                return True
            return connection.execute(select(name).where(self._due(now, every))).first() is not None

    def _due(self, now: datetime, every: timedelta) -> ColumnElement[bool]:
        begun_at = shared_work.c.begun_at
        # A beginning in the future was noted by a clock that was wrong.
        is_due = or_(begun_at <= now - every, begun_at > now + every)
        return and_(shared_work.c.name == self._name, is_due)


#: When work that any worker may do was last begun, so that one of them does it.
shared_work = Table(
    "shared_work",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("begun_at", UtcDateTime, nullable=False),
)
