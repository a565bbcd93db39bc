"""The parts that all tables share: one `MetaData`, and types that mean the same on SQLite and PostgreSQL.

A table is declared once, next to its store, and made by a migration (`migrations/`); a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, MetaData, TypeDecorator

#: Every table of the chatbot. Constraints have names, as a migration can only change what has one.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: 64 bits on both databases: SQLite numbers rows only if the type is INTEGER, which holds as much.
BigInt = BigInteger().with_variant(Integer, "sqlite")

#: JSON that comes back exactly as it was written, on both databases.
ExactJson = JSON(none_as_null=True)


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC. SQLite keeps no zone: it is taken off on the way in and put on again on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return value
        if dialect.name != "sqlite":
            return value.astimezone(UTC)
        return value.replace(tzinfo=UTC)
