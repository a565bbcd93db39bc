"""The schema of the chatbot's database and its revisions: which one is there, which one this code needs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Column, Connection, MetaData, String, Table, func, inspect, select

from .engine import DatabaseError, name_of

#: Key of the advisory lock under which one process at a time migrates PostgreSQL.
_SCHEMA_LOCK = 0x746F646F

#: Alembic's own table.
_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32)))


class SchemaError(DatabaseError):
    """The database's schema is not the one that this version needs."""


@cache
def needed() -> str:
    """Give the revision that this code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def current(connection: Connection) -> str | None:
    """Give the revision of the database; None where it has no schema yet."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar_one_or_none()


def upgrade(connection: Connection) -> str | None:
    """Migrate to the revision that is needed, and give the one that was there.

    The connection must be in a write transaction; all of the migration happens in it, or nothing. Any
    number of processes may do so at the same moment: one migrates, the others wait for it.

    Raises:
        SchemaError: the database is newer than this code.
    """
    if connection.dialect.name == "postgresql":
        # SQLite needs none: its write transaction keeps every other writer out.
        connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
    found = current(connection)
    if found != needed():
        _refuse_newer(connection, found)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
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
    if found is None:
        return
    try:
        ScriptDirectory.from_config(_config()).get_revision(found)
    except CommandError as exc:
        raise SchemaError(
            f"The database {name_of(connection.engine)} has the schema revision {found}, which is newer than "
            f"this version of todo-workers knows ({needed()}): install the version that upgraded it"
        ) from exc


def _config() -> Config:
    config = Config()
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config
