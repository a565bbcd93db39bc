"""Checks and migrates the schema of the chatbot's database: which revision it has, which this code needs.

A revision is a file `migrations/versions/r<revision>_<subject>.py`; the last one is needed. Alembic runs
them, and is loaded only then: it takes longer to load than all else that a worker needs.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, MetaData, String, Table, func, inspect, select

from .engine import DatabaseError, name_of

if TYPE_CHECKING:
    from alembic.config import Config

logger = logging.getLogger(__name__)

_MIGRATIONS = Path(__file__).with_name("migrations")

#: Key of the advisory lock under which one process at a time migrates PostgreSQL.
_SCHEMA_LOCK = 0x746F646F

#: Alembic's own table.
_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32)))


class SchemaError(DatabaseError):
    """The database's schema is not the one that this version needs."""


@cache
def revisions() -> tuple[str, ...]:
    """Every revision that this code knows, in order."""
    files = sorted(_MIGRATIONS.glob("versions/r*_*.py"))
    return tuple(file.name[1:].partition("_")[0] for file in files)


def needed() -> str:
    """The revision that this code needs."""
    return revisions()[-1]


def current(connection: Connection) -> str | None:
    """The revision of the database; None if it has no schema yet."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar_one_or_none()


def upgrade(connection: Connection) -> str | None:
    """Migrate to the revision that is needed, and return the one that was there.

    The connection must be in a write transaction; all of the migration happens in it, or nothing. Any number
    of processes may call it at the same moment: one migrates, the others wait for it.

    Raises:
        SchemaError: the database is newer than this code.
    """
    if connection.dialect.name == "postgresql":
        # SQLite needs none: its write transaction keeps every other writer out.
        connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
    found = current(connection)
    if found != needed():
        _refuse_newer(connection, found)
        _migrate(connection)
        where = name_of(connection.engine)
        logger.info("database.migrated database=%s from=%s to=%s", where, found or "nothing", needed())
    return found


def require(connection: Connection) -> None:
    """Make sure that the database has the revision that is needed.

    Raises:
        SchemaError: it has another one; the text names both, and says what to do.
    """
    found = current(connection)
    if found == needed():
        return
    _refuse_newer(connection, found)
    there = f"has the schema revision {found}" if found else "has no schema yet"
    raise SchemaError(
        f"The database {name_of(connection.engine)} {there}, and {needed()} is needed: "
        "run todo-workers db upgrade"
    )


def _refuse_newer(connection: Connection, found: str | None) -> None:
    if found is not None and found not in revisions():
        raise SchemaError(
            f"The database {name_of(connection.engine)} has the schema revision {found}, which is newer than "
            f"this version of todo-workers knows ({needed()}): install the version that upgraded it"
        )


def _migrate(connection: Connection) -> None:
    from alembic import command

    library = logging.getLogger("alembic")
    if library.level == logging.NOTSET:  # else somebody has set its level
        library.setLevel(logging.WARNING)  # our one line says the same
    command.upgrade(config(connection), "head")


def config(connection: Connection) -> Config:
    """What a command of Alembic needs to migrate over a connection."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made
