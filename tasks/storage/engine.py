"""SQLAlchemy's engine for SQLite or PostgreSQL, and the errors of a database: they name it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, cast

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from workers.errors import WorkersError

#: How long a writer waits for its turn on SQLite, and a new connection to PostgreSQL for an answer.
TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 8

#: How soon the other machine is known to be gone, on both sides: by default it takes two hours, for which its
#: locks are kept, and all who write to the audit trail wait for one. libpq's parameters in the URL win.
_FROM_HERE = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
#: Since when libpq has the last of these.
_HAS_USER_TIMEOUT = 120_000
#: The same for the server, which leaves a setting as it is that it does not know, or that somebody has chosen
#: for the server, the database or the role.
_FROM_THERE = """
SELECT set_config(name, wanted, false)
FROM (VALUES ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'),
    ('tcp_user_timeout', '30s'), ('idle_in_transaction_session_timeout', '60s')) AS ours (name, wanted)
JOIN pg_settings USING (name) WHERE source = 'default'
"""


class DatabaseError(WorkersError):
    """The database could not do what was asked; check DATABASE_URL and that the database runs."""


class DatabaseUnavailable(DatabaseError):
    """The database cannot be reached or is overloaded: the same may succeed later."""


def make_engine(url: str, *, pool_size: int = 8, reads: bool = False) -> Engine:
    """Make an engine for ``url``; nothing is opened before its first use. Make it after a fork, not before.

    PostgreSQL is reached by psycopg 3, with up to ``pool_size`` connections. SQLite has one writer at a time,
    so a process has one connection to write: its threads queue for it in the pool, and only processes wait in
    SQLite. An engine that only ``reads`` has ``pool_size`` connections on SQLite, too; they wait for nobody.

    Raises:
        DatabaseError: the URL is not one, or names something other than SQLite or PostgreSQL.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed, pool_size if reads else 1, reads=reads)
    return _postgresql_engine(parsed, pool_size)


def name_of(engine: Engine) -> str:
    """The engine's URL for messages: never with a password."""
    # The query part may hold a password too.
    url = engine.url.set(drivername=engine.url.get_backend_name(), query={})
    return url.render_as_string(hide_password=True)


@contextmanager
def errors_of(engine: Engine) -> Iterator[None]:
    """Turn what SQLAlchemy raises inside the block into a `DatabaseError` that names the database."""
    try:
        yield
    except SQLAlchemyError as exc:
        cause = exc.orig if isinstance(exc, DBAPIError) else exc
        reason = " ".join(str(cause).split())
        kind = DatabaseUnavailable if _may_pass(exc) else DatabaseError
        raise kind(f"The database {name_of(engine)} failed: {reason} (check DATABASE_URL)") from exc


def _may_pass(exc: SQLAlchemyError) -> bool:
    lost = isinstance(exc, DBAPIError) and exc.connection_invalidated
    return lost or isinstance(exc, OperationalError | InterfaceError | PoolTimeout)


def read_by_driver(connection: Connection, text: str, parameters: Sequence[Any]) -> Sequence[Any]:
    """Execute a SELECT on SQLite; returns its rows. Begins the connection's transaction, as SQLAlchemy would.

    Raises SQLAlchemy's errors. Through SQLAlchemy it takes three times as long.
    """
    _begin(connection)
    with _cursor(connection, text) as cursor:
        return cursor.execute(text, parameters).fetchall()


def write_by_driver(connection: Connection, text: str, rows: Sequence[Any]) -> int:
    """Execute a statement on SQLite with each of the rows; returns how many it wrote. As `read_by_driver`."""
    _begin(connection)
    with _cursor(connection, text) as cursor:
        return cursor.executemany(text, rows).rowcount


def _begin(connection: Connection) -> None:
    if not connection.in_transaction():
        connection.begin()


@contextmanager
def _cursor(connection: Connection, text: str) -> Iterator[sqlite3.Cursor]:
    """The driver's cursor to execute ``text`` with; its errors become SQLAlchemy's."""
    try:
        # A cursor that is left open with rows to read keeps the transaction's snapshot after a rollback, and
        # the next user of the pooled connection would read that.
        with closing(connection.connection.cursor()) as cursor:
            yield cast("sqlite3.Cursor", cursor)
    except sqlite3.Error as exc:
        raise DBAPIError.instance(text, None, exc, sqlite3.Error, hide_parameters=True) from exc


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise DatabaseError(f"DATABASE_URL is not a database URL; {_EXAMPLES}") from exc
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise DatabaseError(f"DATABASE_URL names {parsed.get_backend_name()}; {_EXAMPLES}")
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise DatabaseError(
            f"DATABASE_URL names an SQLite database in memory, which keeps nothing; {_EXAMPLES}"
        )
    return parsed


_EXAMPLES = "write it like sqlite:///todo.db or postgresql://user:password@host/todo"


def _postgresql_engine(url: URL, pool_size: int) -> Engine:
    try:
        from psycopg import pq
    except ImportError as exc:
        raise DatabaseError("PostgreSQL needs psycopg: install todo-workers[postgresql].") from exc
    unknown = set() if pq.version() >= _HAS_USER_TIMEOUT else {"tcp_user_timeout"}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        pool_pre_ping=True,
        # Whatever the default of the server, the database or the role: who has waited for a lock is to see
        # what its last holder wrote. Each BEGIN says it, which costs no trip of its own.
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        connect_args={name: _FROM_HERE[name] for name in _FROM_HERE.keys() - url.query.keys() - unknown},
    )
    event.listen(engine, "connect", _notice_who_is_gone)
    return engine


def _notice_who_is_gone(connection: Any, _record: Any) -> None:
    # Outside a transaction, with which the settings would be rolled back. A process that is frozen in one is
    # as good as gone.
    connection.autocommit = True
    connection.execute(_FROM_THERE)
    connection.autocommit = False


def _sqlite_engine(url: URL, pool_size: int, *, reads: bool) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=TIMEOUT_S,
        hide_parameters=True,
        connect_args={"timeout": TIMEOUT_S, "check_same_thread": False},
    )
    event.listen(engine, "connect", _use_wal)
    event.listen(engine, "begin", _begin_to_read if reads else _begin_to_write)
    return engine


def _begin_to_read(connection: Connection) -> None:
    _run(connection, "BEGIN")


def _begin_to_write(connection: Connection) -> None:
    # A transaction that reads first and writes then cannot wait for its turn: SQLite fails it at once.
    _run(connection, "BEGIN IMMEDIATE")


def _run(connection: Connection, text: str) -> None:
    with _cursor(connection, text) as cursor:
        cursor.execute(text)


def _use_wal(connection: sqlite3.Connection, _record: Any) -> None:
    # Otherwise Python's driver would begin transactions itself, late and deferred.
    connection.isolation_level = None
    # The change to WAL upgrades a read lock: SQLite does not wait for that but fails at once.
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
