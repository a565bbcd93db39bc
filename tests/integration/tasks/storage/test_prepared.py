"""Statements that are given to the driver write what SQLAlchemy would, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dramatiq.middleware import Interrupt
from sqlalchemy import Boolean, Column, MetaData, Table, Text, bindparam, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from tasks.storage.column_types import BigInt, ExactJson, UtcDateTime
from tasks.storage.database import Database
from tasks.storage.prepared import Prepared, PreparedLookUp

FACTS = Table(
    "facts",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("number", BigInt, nullable=False),
    Column("time", UtcDateTime, nullable=False),
    Column("is_new", Boolean, nullable=False),
    Column("seen_at", UtcDateTime),
    Column("content", ExactJson),
)
C = FACTS.c
INSERT = Prepared(FACTS.insert(), FACTS.columns.keys())
UPDATE = Prepared(
    FACTS.update().where(C.id == bindparam("own_id")).values(content=None, number=7, time=bindparam("time"))
)
LOOK_UP = PreparedLookUp(lambda ids: select(C.number, C.id).where(C.id.in_(ids)).order_by(C.number))
AT = datetime(2026, 6, 1, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))


@pytest.fixture
def facts(database: Database) -> Database:
    with database.writing() as connection:
        FACTS.create(connection)
    return database


def a_row(number: int, content: Any = None) -> dict[str, Any]:
    row = {"id": f"e-{number}", "number": number, "time": AT, "is_new": True, "seen_at": None}
    return row | {"content": content}


def test_it_writes_what_sqlalchemy_writes(facts: Database) -> None:
    rows = [a_row(1), a_row(2, {"ä": ["<ß>", None, 1.5]}), a_row(3, [])]
    with facts.writing() as connection:
        assert INSERT.execute(connection, rows) == 3
        prepared = connection.execute(select(FACTS).order_by(C.number)).all()
        connection.execute(FACTS.delete())
        connection.execute(FACTS.insert(), rows)
        assert prepared == connection.execute(select(FACTS).order_by(C.number)).all()
    assert prepared[0] == ("e-1", 1, AT, True, None, None)


def test_it_tells_how_many_rows_were_written(facts: Database) -> None:
    later = AT + timedelta(days=1)
    with facts.writing() as connection:
        INSERT.execute(connection, [a_row(number, {"a": 1}) for number in (1, 2)])
        wanted = [{"own_id": name, "time": later} for name in ("e-1", "nobody", "e-2")]
        assert UPDATE.execute(connection, wanted) == 2
        assert UPDATE.execute(connection, wanted[1:2]) == 0
        rows = connection.execute(select(C.number, C.time, C.content)).all()
    assert set(rows) == {(7, later.astimezone(UTC), None)}


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_it_looks_many_keys_up(facts: Database, count: int) -> None:
    with facts.writing() as connection:
        INSERT.execute(connection, [a_row(number) for number in range(1, 8)])
        found = LOOK_UP.rows(connection, [f"e-{number}" for number in range(1, count + 1)] + ["nobody"])
    assert [(row.number, row.id) for row in found] == [(n, f"e-{n}") for n in range(1, count + 1)]


@pytest.mark.parametrize("content", [None, {"ä": ["<ß>", None, 1.5]}, []])
def test_it_reads_what_sqlalchemy_reads(facts: Database, content: Any) -> None:
    of_all_types = PreparedLookUp(lambda ids: select(FACTS).where(C.id.in_(ids)).with_for_update())
    with facts.writing() as connection:
        INSERT.execute(connection, [a_row(1, content), a_row(2, content)])
        (found,) = of_all_types.rows(connection, ["e-1"])
        (expected,) = connection.execute(select(FACTS).where(C.id == "e-1"))
    assert found == expected == ("e-1", 1, AT, True, None, content)
    assert found._asdict() == expected._asdict()
    assert found.time.tzinfo is UTC


def test_an_error_of_the_driver_is_sqlalchemys(facts: Database) -> None:
    with pytest.raises(IntegrityError), facts.engine.begin() as connection:
        INSERT.execute(connection, [a_row(1), a_row(1)])


def test_so_is_one_of_a_look_up(database: Database) -> None:
    with pytest.raises(DBAPIError), database.engine.begin() as connection:
        LOOK_UP.rows(connection, ["of a table that is not there"])


def test_a_look_up_begins_a_transaction(facts: Database) -> None:
    with facts.reading() as connection:
        assert not connection.in_transaction()
        LOOK_UP.rows(connection, ["e-1"])
        assert connection.in_transaction()
        driver: Any = connection.connection.driver_connection
        assert driver.in_transaction if facts.is_sqlite else driver.info.transaction_status


def test_so_does_a_write(facts: Database) -> None:
    with facts.engine.connect() as connection:
        INSERT.execute(connection, [a_row(1)])
        connection.rollback()
        assert LOOK_UP.rows(connection, ["e-1"]) == []


def test_both_times_of_the_hour_that_is_repeated_are_written(facts: Database) -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    with facts.writing() as connection:
        rows = [a_row(number) | {"time": first.replace(fold=number)} for number in (0, 1)]
        INSERT.execute(connection, rows)
        times = connection.scalars(select(C.time).order_by(C.number)).all()
    assert times == [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]


@pytest.fixture
def sqlite_facts(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    with database.writing() as connection:
        FACTS.create(connection)
        INSERT.execute(connection, [a_row(1), a_row(2)])
    yield database
    database.dispose()


def test_a_look_up_that_is_interrupted_leaves_no_snapshot_to_the_next(sqlite_facts: Database) -> None:
    keys = ["e-1", "e-2", "e-3"]
    # The traceback keeps the frames alive, as that of a job does until it has been logged.
    with pytest.raises(Interrupt) as interrupted:
        look_up_and_be_interrupted(sqlite_facts, keys)
    with sqlite_facts.writing() as connection:
        INSERT.execute(connection, [a_row(3)])
    with sqlite_facts.reading() as connection:
        assert len(LOOK_UP.rows(connection, keys)) == 3
    assert interrupted.type is Interrupt


def look_up_and_be_interrupted(database: Database, keys: list[str]) -> None:
    def interrupt(*_: Any) -> None:
        raise Interrupt

    with database.reading() as connection:
        driver: Any = connection.connection.driver_connection
        driver.row_factory = interrupt  # called as the first of several rows is fetched
        try:
            LOOK_UP.rows(connection, keys)
        finally:
            driver.row_factory = None


def test_the_error_of_a_connection_that_is_closed_is_sqlalchemys(sqlite_facts: Database) -> None:
    with sqlite_facts.readers.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.close()
        with pytest.raises(DBAPIError, match="closed database"):
            LOOK_UP.rows(connection, ["e-1"])
        connection.invalidate()
