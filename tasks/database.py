"""The one way to the chatbot's database: transactions to read and to write in, with the schema seen to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from . import schema
from .store import READS, errors_of, make_engine, name_of


class Database:
    """SQLite or PostgreSQL, behind one engine; safe for use by many threads. Make it after a fork.

    Nothing is opened before the first use. That also sees to the schema: an SQLite file is upgraded by
    itself, PostgreSQL is only looked at, as there an operator decides when (`todo-workers db upgrade`).

    Whatever goes wrong in a transaction is a `StoreError` that names the database: `StoreUnavailable` where
    it may go well later, `schema.SchemaError` where the schema is not the one that is needed.
    """

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.engine = make_engine(url, pool_size=pool_size)
        self._ready = False

    @property
    def name(self) -> str:
        """The database in words for people: never with a password."""
        return name_of(self.engine)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection in a transaction that is committed at the end of the block.

        On SQLite it keeps every other writer out from its beginning: keep it short.
        """
        self._see_to_schema()
        with errors_of(self.engine), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with: no writer waits for it, and it waits for none."""
        self._see_to_schema()
        with self._reading() as connection:
            yield connection

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Give an INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def revision(self) -> str | None:
        """Give the revision of the schema that is there, whichever it is; None where there is none."""
        with self._reading() as connection:
            return schema.current(connection)

    def upgrade(self) -> str | None:
        """Migrate to the schema that this code needs, and give the revision that was there before."""
        with errors_of(self.engine), self.engine.begin() as connection:
            return schema.upgrade(connection)

    def dispose(self) -> None:
        """Close the connections; the next use opens new ones."""
        self.engine.dispose()

    def _see_to_schema(self) -> None:
        # Several threads may do this at the same moment: none needs to wait for another.
        if self._ready:
            return
        if self.is_sqlite and self.revision() != schema.needed():
            self.upgrade()
        else:
            with self._reading() as connection:
                schema.require(connection)
        self._ready = True

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with errors_of(self.engine), self.engine.connect().execution_options(**{READS: True}) as connection:
            yield connection
