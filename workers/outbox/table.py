"""The table `outbox`: one row for each record that waits to be written to Kafka."""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    event,
)
from sqlalchemy.schema import ExecutableDDLElement

#: The table's name, and that of the channel on which PostgreSQL says that it has new rows.
NAME = CHANNEL = "outbox"

_BIG = BigInteger().with_variant(Integer, "sqlite")

_FUNCTION = f"""
CREATE OR REPLACE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('{CHANNEL}', ''); RETURN NULL; END $$
"""
_TRIGGER = """
CREATE TRIGGER outbox_notify AFTER INSERT OR UPDATE ON outbox FOR EACH STATEMENT
EXECUTE FUNCTION outbox_notify()
"""
_DROP = "DROP FUNCTION IF EXISTS outbox_notify()"


def outbox_table(metadata: MetaData) -> Table:
    """Declare the table in an application's metadata; `create` also makes PostgreSQL's trigger.

    In a migration of Alembic: ``outbox_table(sa.MetaData()).create(op.get_bind())``. Without the trigger a
    relay finds new rows by looking each second.
    """
    table = Table(
        NAME,
        metadata,
        # Numbers are never given twice: also not by SQLite, once the table is empty.
        Column("id", _BIG, primary_key=True),
        Column("topic", Text, nullable=False),
        Column("key", LargeBinary, nullable=False),
        # Whether rows of this topic and key are written one after the other.
        Column("is_ordered", Boolean, nullable=False),
        Column("value", LargeBinary, nullable=False),
        # A list of names and values, each value as Latin-1, in which any bytes are a text.
        Column("headers", JSON, nullable=False),
        # Which message or event it is, and of which actor or type: for people.
        Column("name", Text, nullable=False),
        Column("about", Text, nullable=False),
        # Bytes that the record takes in its topic.
        Column("size", Integer, nullable=False),
        Column("added_ms", _BIG, nullable=False),
        # When it was set aside, as it can never be written, and why.
        Column("aside_ms", _BIG, nullable=True),
        Column("error", Text, nullable=True),
        sqlite_autoincrement=True,
    )
    Index("ix_outbox_aside_ms_id", table.c.aside_ms, table.c.id)
    for moment, statement in (("after_create", _FUNCTION), ("after_create", _TRIGGER), ("after_drop", _DROP)):
        made: ExecutableDDLElement = DDL(statement)  # type: ignore[no-untyped-call]
        event.listen(table, moment, made.execute_if(dialect="postgresql"))
    return table


#: The table as this package itself uses it, whatever an application's metadata is.
ROWS = outbox_table(MetaData())
