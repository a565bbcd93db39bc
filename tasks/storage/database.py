"""The one way to the chatbot's database: transactions to read and to write, on a schema that is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Table

from . import schema
from .engine import DatabaseUnavailable, errors_of, make_engine, name_of
from .group_commit import GroupCommit

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
R = TypeVar("R")

#: Work to do in a transaction.
Work = Callable[[Connection], T]
#: Work for many items in one transaction: returns a result for each item, in order.
WorkForMany = Callable[[Connection, Sequence[T]], Sequence[R]]


class Database:
    """SQLite or PostgreSQL behind one engine. Any thread may use it; make it after a fork.

    It opens nothing before its first use, which also checks the schema: an SQLite file is upgraded at once,
    for PostgreSQL an operator decides when (`todo-workers db upgrade`).

    Every error in a transaction is a `DatabaseError` that names the database: `DatabaseUnavailable` if the
    same may succeed later, `schema.SchemaError` if the schema is not the one that is needed.
    """

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.engine = make_engine(url, pool_size=pool_size)
        #: To read with. On SQLite the other engine has one connection, for writers; these wait for none.
        self.readers = make_engine(url, pool_size=pool_size, reads=True) if self.is_sqlite else self.engine
        self._group = GroupCommit(self._do_all, concerns_all=DatabaseUnavailable)
        self._groups: list[GroupCommit[Any, Any]] = [self._group]
        self._ready = False

    @property
    def name(self) -> str:
        """The database's URL for messages: never with a password."""
        return name_of(self.engine)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction that is committed at the end of the block.

        On SQLite it excludes every other writer from its beginning: keep it short.
        """
        self._check_schema()
        with errors_of(self.engine), self.engine.begin() as connection:
            yield connection

    def write(self, work: Work[T]) -> T:
        """Do ``work`` in a transaction and return its result, once that is committed. Raises what it raises.

        SQLite has one writer at a time and waits for the disk at each commit: there, threads that write at
        the same moment share a transaction. So ``work`` may run on another thread, and again if the work of
        another thread fails: it must do nothing that a rollback does not undo.
        """
        if self.is_sqlite:
            return self._group.submit((_each, work))  # type: ignore[no-any-return]
        with self.writing() as connection:
            return work(connection)

    def together(self, work: WorkForMany[T, R]) -> Callable[[T], R]:
        """A function that does ``work`` for one item and returns its result, once that is committed.

        Items of threads that call it at the same moment go into one call of ``work``, in one transaction, on
        both databases; see `write` for what ``work`` may do.
        """
        if self.is_sqlite:
            return lambda item: self._group.submit((work, item))
        group: GroupCommit[T, R] = GroupCommit(
            lambda items: self._do(work, items), concerns_all=DatabaseUnavailable
        )
        self._groups.append(group)
        return group.submit

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read with: no writer waits for it, and it waits for none."""
        self._check_schema()
        with self._reading() as connection:
            yield connection

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Return an INSERT that has ``on_conflict_do_nothing`` and ``on_conflict_do_update``.

        Its result's ``rowcount`` is how many rows it wrote.
        """
        # Each dialect takes long to load, and an engine loads only its own.
        if self.is_sqlite:
            from sqlalchemy.dialects import sqlite

            statement: sqlite.Insert | postgresql.Insert = sqlite.insert(table)
        else:
            from sqlalchemy.dialects import postgresql

            statement = postgresql.insert(table)
        # SQLAlchemy forgets the rowcount of an insert, unless told otherwise.
        return statement.execution_options(preserve_rowcount=True)

    def prepare(self) -> None:
        """Check the schema now instead of at the first use. Raises DatabaseError."""
        with errors_of(self.engine):
            self._check_schema()

    def revision(self) -> str | None:
        """The revision of the schema in the database, whichever it is; None if it has none.

        It makes no SQLite file.
        """
        file = Path(str(self.engine.url.database))
        if self.is_sqlite and file.parent.is_dir() and not file.exists():
            return None
        with self._reading() as connection:
            return schema.current(connection)

    def upgrade(self) -> str | None:
        """Migrate to the schema that this code needs; returns the revision that was there before."""
        with errors_of(self.engine), self.engine.begin() as connection:
            return schema.upgrade(connection)

    def dispose(self) -> None:
        """Close the connections; the next use opens new ones."""
        for group in self._groups:
            group.close()
        self.readers.dispose()
        self.engine.dispose()

    def _do(self, work: WorkForMany[T, R], items: Sequence[T]) -> Sequence[R]:
        with self.writing() as connection:
            return work(connection, items)

    def _do_all(self, wanted: Sequence[tuple[WorkForMany[Any, Any], Any]]) -> Sequence[Any]:
        places: dict[WorkForMany[Any, Any], list[int]] = {}
        for place, (work, _) in enumerate(wanted):
            places.setdefault(work, []).append(place)
        results: dict[int, Any] = {}
        with self.writing() as connection:
            for work, own in places.items():
                done = work(connection, [wanted[place][1] for place in own])
                results |= zip(own, done, strict=True)
        return [results[place] for place in range(len(wanted))]

    def _check_schema(self) -> None:
        # Several threads may do this at the same moment; none needs to wait for another.
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
        with errors_of(self.engine), self.readers.connect() as connection:
            yield connection


def _each(connection: Connection, works: Sequence[Work[T]]) -> Sequence[T]:
    return [work(connection) for work in works]
