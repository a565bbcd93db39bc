"""One relay of a database works at a time; the others stand by.

The order of rows does not depend on that, see `in_hand`: it saves writing everything twice. On PostgreSQL the
one that leads holds an advisory lock of the session in which it also reads and deletes, so it cannot work
after it has lost it. On SQLite it holds a lock on a file beside the database, which the system releases when
the process ends. A relay that dies so is replaced within a second.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from sqlalchemy import Connection, Engine, text

from .errors import OutboxUnavailable

T = TypeVar("T")

#: The first half of the advisory lock's key; the second stands for the schema with the table.
_LOCK = 0x6F757462

#: Have PostgreSQL notice within half a minute that the relay's machine is gone: its default is two hours.
_KEEPALIVES = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
#: How often SQLite is asked for commits of other processes; a question takes some 10 microseconds.
_SQLITE_POLL_S = 0.02


class Lead(Protocol):
    """A relay's connections, and the lock that says which one leads."""

    #: How often `has_changed` is to be asked; None if there is no use in it.
    poll_s: float | None

    def take(self) -> bool:
        """Take the lock; False if another one has it."""

    def has_changed(self) -> bool:
        """Whether another process has committed since this was last asked."""

    def read(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction that only reads."""

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock and close the connections."""


def lead_of(engine: Engine, reads: Engine | None = None) -> Lead:
    """The way to lead of that database. ``reads``: an engine whose transactions take no lock, for SQLite."""
    return SqliteLead(engine, reads or engine) if engine.dialect.name == "sqlite" else PostgresqlLead(engine)


def has_leader(engine: Engine) -> bool:
    """Whether a relay works, in any process. Makes no file. Raises OutboxUnavailable."""
    if engine.dialect.name == "sqlite":
        return FileLock(_lock_file(engine)).is_taken()
    held = text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = :lock "
        "AND objid::bigint = hashtext(current_schema())::bigint & 4294967295 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with engine.connect() as connection:
        return bool(connection.execute(held, {"lock": _LOCK}).scalar_one())


class PostgresqlLead:
    """Everything on one connection: when that is lost, so is the lock, and nothing can be read any more."""

    poll_s: float | None = None

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def take(self) -> bool:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            for setting in _KEEPALIVES.split("; "):
                self._connection.execute(text(setting))
        lock = text("SELECT pg_try_advisory_lock(:lock, hashtext(current_schema()))")
        return bool(self._connection.execute(lock, {"lock": _LOCK}).scalar_one())

    def has_changed(self) -> bool:
        return False

    def read(self, work: Callable[[Connection], T]) -> T:
        assert self._connection is not None, "does not lead"
        return work(self._connection)

    write = read

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()  # ends the session and so the lock: the pool would keep both
            connection.close()


class SqliteLead:
    """A connection to read with, which also sees the commits of others, and a lock on a file."""

    poll_s: float | None = _SQLITE_POLL_S

    def __init__(self, engine: Engine, reads: Engine) -> None:
        self._engine = engine
        self._reads = reads
        self._lock = FileLock(_lock_file(engine))
        self._connection: Connection | None = None
        self._driver: Any = None
        self._version: Any = None

    def take(self) -> bool:
        return self._lock.take()

    def has_changed(self) -> bool:
        # The driver: through SQLAlchemy a question would take ten times as long.
        if self._driver is None:
            self._driver = self._opened().connection.driver_connection
        version = self._driver.execute("PRAGMA data_version").fetchone()
        has_changed: bool = version != self._version
        self._version = version
        return has_changed

    def read(self, work: Callable[[Connection], T]) -> T:
        connection = self._opened()
        with connection.begin():
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = self._driver = None
        self._lock.release()

    def _opened(self) -> Connection:
        if self._connection is None:
            self._connection = self._reads.connect()
        return self._connection


class FileLock:
    """A lock that the system releases when its holder ends, however it ends. The file stays."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock; False if another one has it, or looks at it just now. Raises OutboxUnavailable."""
        if self._descriptor is None:
            with self._errors():
                self._descriptor = self._locked(os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX)
        return self._descriptor is not None

    def is_taken(self) -> bool:
        """Whether anybody has the lock. Leaves no trace. Raises OutboxUnavailable."""
        with self._errors():
            try:
                descriptor = self._locked(os.O_RDONLY, fcntl.LOCK_SH)  # others may look at the same time
            except FileNotFoundError:
                return False
            if descriptor is not None:
                os.close(descriptor)
            return descriptor is None

    def release(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _locked(self, flags: int, kind: int) -> int | None:
        descriptor = os.open(self._file, flags | os.O_CLOEXEC, 0o660)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(descriptor)
            if isinstance(exc, BlockingIOError):
                return None
            raise
        return descriptor

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            reason = f"{exc.strerror}; check who owns it"
            raise OutboxUnavailable(f"The outbox's lock {self._file} cannot be used: {reason}") from exc


def _lock_file(engine: Engine) -> Path:
    return Path(f"{engine.url.database}-outbox.lock")
