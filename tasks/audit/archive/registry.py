"""The table of the months that are archived."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, String, Table, select

from ...storage.column_types import BigInt, UtcDateTime, metadata
from ...storage.database import Database
from ..chain import Head
from .manifest import Manifest

#: One row for each month that is archived; the database lets only rows up to the last one be deleted from
#: the trail, and none from here.
audit_archives = Table(
    "audit_archives",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("first_sequence", BigInt, nullable=False, unique=True),
    Column("last_sequence", BigInt, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("last_hash", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("archived_at", UtcDateTime, nullable=False),
)

_COLUMNS = ("month", "first_sequence", "last_sequence", "previous_hash", "last_hash", "sha256")


def archived(database: Database) -> Sequence[Manifest]:
    """The manifests of all archived months, as the database has them, in the order of the chain."""
    wanted = select(*(audit_archives.c[name] for name in _COLUMNS)).order_by(audit_archives.c.first_sequence)
    with database.reading() as connection:
        rows = connection.execute(wanted).mappings().all()
    return [Manifest(**row, rows=row["last_sequence"] - row["first_sequence"] + 1) for row in rows]


def archived_head(database: Database) -> Head:
    """The end of what is archived; the end of an empty chain if nothing is."""
    months = archived(database)
    return months[-1].head if months else Head()


def register(database: Database, manifest: Manifest, *, now: datetime) -> None:
    """Note that a month is archived. From then on its rows may be deleted from the trail."""
    values = {name: getattr(manifest, name) for name in _COLUMNS}
    with database.writing() as connection:
        connection.execute(audit_archives.insert().values(values | {"archived_at": now}))
