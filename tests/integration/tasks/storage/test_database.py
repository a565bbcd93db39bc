"""The database, of either kind: its schema, many writers at once, errors that say what is wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from tasks.audit.archive.registry import audit_archives
from tasks.audit.trail import audit_trail
from tasks.cli.database import show_schema, upgrade_schema
from tasks.notifications.delivery_store import deliveries
from tasks.notifications.recipients import recipients
from tasks.reminders.tables import reminded_todos, reminder_firings, reminders
from tasks.storage import schema
from tasks.storage.column_types import metadata
from tasks.storage.database import Database
from tasks.storage.engine import DatabaseError, DatabaseUnavailable, make_engine
from tasks.storage.schema import SchemaError
from tasks.storage.shared_work import shared_work
from tasks.todos.table import outbox, todos
from tests.helpers import warm

TABLES = {
    audit_archives,
    audit_trail,
    deliveries,
    outbox,
    recipients,
    reminded_todos,
    reminder_firings,
    reminders,
    shared_work,
    todos,
}

THREADS = 8
PROCESSES = 3
WRITES = 60


# SQLAlchemy cannot read indexes of expressions on SQLite; test_by_hand.py looks at how that one is used.
@pytest.mark.filterwarnings("ignore:.* expression-based index .?ix_reminded_todos_owner")
def test_the_migrations_make_the_tables_that_the_code_declares(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    assert set(metadata.tables.values()) == TABLES


def test_the_revisions_are_those_that_alembic_finds() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    scripts = ScriptDirectory.from_config(config)
    assert schema.revisions() == tuple(script.revision for script in scripts.walk_revisions())[::-1]
    assert scripts.get_heads() == [schema.needed()]


def test_a_migration_is_one_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    with caplog.at_level(logging.INFO), database.reading():
        pass
    database.dispose()
    assert [record.getMessage() for record in caplog.records] == [
        f"database.migrated database=sqlite:///{tmp_path}/todo.db from=nothing to={schema.needed()}"
    ]


def test_everything_can_be_migrated_at_the_same_moment(new_database_url: str) -> None:
    databases = [Database(new_database_url) for _ in range(THREADS)]
    start = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(partial(upgrade_at, start), databases))
    assert sorted(found, key=str) == sorted([None] + [schema.needed()] * (THREADS - 1), key=str)
    assert {database.revision() for database in databases} == {schema.needed()}
    for database in databases:
        database.dispose()


def upgrade_at(start: threading.Barrier, database: Database) -> str | None:
    start.wait(30)
    return database.upgrade()


def test_a_new_sqlite_file_is_upgraded_at_its_first_use(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    with database.reading() as connection:
        assert schema.current(connection) == schema.needed()
    database.dispose()


def test_a_look_at_the_schema_makes_no_file(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    assert database.revision() is None
    assert not list(tmp_path.iterdir())


def test_postgresql_without_a_schema_is_refused_until_somebody_upgrades(
    postgresql_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(postgresql_url)
    for use in (database.reading, database.writing):
        with pytest.raises(
            SchemaError, match=r"has no schema yet, and \d{4} is needed: run todo-workers db up"
        ):
            use().__enter__()
    assert not show_schema(database)
    assert f"no schema, needed is {schema.needed()}" in capsys.readouterr().out
    upgrade_schema(database)
    assert f"upgraded from nothing to {schema.needed()}" in capsys.readouterr().out
    with database.writing() as connection:
        assert schema.current(connection) == schema.needed()
    upgrade_schema(database)
    assert f"is at {schema.needed()} already" in capsys.readouterr().out
    assert show_schema(database)
    database.dispose()


def test_a_schema_of_a_newer_version_is_refused(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    newer = Database(database.engine.url.render_as_string(hide_password=False))
    words = rf"has the schema revision 9999, which is newer than .* knows \({schema.needed()}\)"
    with pytest.raises(SchemaError, match=words):
        newer.reading().__enter__()
    with pytest.raises(SchemaError, match=words):
        newer.upgrade()
    newer.dispose()


def add_numbers(url: str, start: Barrier) -> None:
    """Read and then write in one transaction, many times in many threads. Runs in a process of its own."""
    database = Database(url, pool_size=THREADS)

    def add_one(_number: int) -> None:
        with database.writing() as connection:
            (highest,) = connection.execute(text("SELECT coalesce(max(n), 0) FROM numbers")).one()
            connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": highest + 1})

    start.wait(30)
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(add_one, range(WRITES)))
    database.dispose()


def test_sqlite_lets_many_processes_read_and_write_in_turn(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/todo.db"
    database = Database(url)
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
    with warm.context.Manager() as manager, warm.context.Pool(PROCESSES) as pool:
        start = manager.Barrier(PROCESSES)
        pool.starmap(add_numbers, [(url, start)] * PROCESSES, chunksize=1)
    with database.reading() as connection:
        counted = connection.execute(text("SELECT count(*), max(n) FROM numbers")).one()
    assert counted == (PROCESSES * WRITES, PROCESSES * WRITES)
    database.dispose()


def test_reading_waits_for_no_writer(database: Database) -> None:
    reader = Database(database.engine.url.render_as_string(hide_password=False))
    with database.writing() as writes, reader.reading() as reads:
        writes.execute(text("CREATE TABLE later (n INTEGER)"))
        assert schema.current(reads) == schema.needed()
    reader.dispose()


def test_sqlite_changes_to_wal_though_others_do_so_at_the_same_moment(tmp_path: Path) -> None:
    for attempt in range(60):
        engines = [make_engine(f"sqlite:///{tmp_path}/{attempt}.db") for _ in range(THREADS)]
        start = threading.Barrier(THREADS)
        with ThreadPoolExecutor(THREADS) as threads:
            modes = list(threads.map(partial(journal_mode, start), engines))
        assert modes == ["wal"] * THREADS


def journal_mode(start: threading.Barrier, engine: Engine) -> str:
    start.wait(30)
    with engine.connect() as connection:
        mode = str(connection.execute(text("PRAGMA journal_mode")).scalar_one())
    engine.dispose()
    return mode


def test_a_relative_sqlite_path_is_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = Database("sqlite:///todo.db")
    database.upgrade()
    database.dispose()
    assert (tmp_path / "todo.db").is_file()


@pytest.mark.parametrize(
    "url",
    ["postgresql://bot:hunter2@127.0.0.1:1/todo", "postgresql://bot@127.0.0.1:1/todo?password=hunter2"],
)
def test_a_database_that_is_down_is_named_without_the_password(url: str) -> None:
    database = Database(url)
    with pytest.raises(DatabaseUnavailable) as caught, database.reading():
        pass
    message = str(caught.value)
    assert "127.0.0.1:1/todo failed: connection failed" in message
    assert "check DATABASE_URL" in message
    assert "hunter2" not in message + str(caught.value.__cause__) + database.name
    database.dispose()


def test_postgresql_and_a_worker_soon_know_that_the_other_is_gone(postgresql_url: str) -> None:
    engine = make_engine(f"{postgresql_url}&keepalives_idle=77")
    for _ in range(2):  # the settings outlive a transaction that is rolled back
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            assert driver.info.get_parameters().items() >= {
                ("keepalives_idle", "77"),  # what somebody chose
                ("keepalives_interval", "5"),
                ("keepalives_count", "3"),
                ("tcp_user_timeout", "30000"),
                ("connect_timeout", "8"),
            }
            # Over a Unix socket the settings of TCP show as 0, but also that they were made.
            made = connection.execute(text("SELECT name FROM pg_settings WHERE source = 'session'")).scalars()
            assert {"tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"} < set(made)
            limit = connection.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one()
            assert limit == "1min"
    engine.dispose()


def test_a_process_that_stands_still_in_a_transaction_keeps_its_locks_for_a_while_only(
    postgresql_url: str,
) -> None:
    lock = text("SELECT pg_advisory_xact_lock(1)")
    frozen, other = Database(postgresql_url), Database(postgresql_url)
    frozen.upgrade()

    def stand_still() -> None:
        with frozen.writing() as connection:
            connection.execute(lock)
            connection.execute(text("SET idle_in_transaction_session_timeout = '50ms'"))
            with other.writing() as waits:
                waits.execute(text("SET LOCAL lock_timeout = '30s'"))
                waits.execute(lock)
            connection.execute(text("SELECT 1"))  # it goes on

    with pytest.raises(DatabaseUnavailable):
        stand_still()
    with frozen.writing() as connection:
        connection.execute(lock)
    frozen.dispose()
    other.dispose()


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/missing/todo.db")
    with pytest.raises(DatabaseError, match=r"missing/todo\.db failed: unable to open database file"):
        database.upgrade()


def test_a_file_that_is_no_database_is_named_and_does_not_come_back(tmp_path: Path) -> None:
    file = tmp_path / "todo.db"
    file.write_bytes(b"no database " * 1_000)
    database = Database(f"sqlite:///{file}")
    uses: list[Callable[[], object]] = [
        database.prepare,
        database.upgrade,
        lambda: database.write(lambda _: None),
        lambda: database.writing().__enter__(),
        lambda: database.reading().__enter__(),
    ]
    for use in uses:
        with pytest.raises(DatabaseError, match=r"todo\.db failed: file is not a database") as caught:
            use()
        assert not isinstance(caught.value, DatabaseUnavailable)
    database.dispose()
    assert file.read_bytes() == b"no database " * 1_000


def test_begin_fails_for_good_where_a_file_is_no_database_any_more(tmp_path: Path) -> None:
    file = tmp_path / "todo.db"
    database = Database(f"sqlite:///{file}")
    database.prepare()
    database.dispose()  # then all of it is in the file, and nothing in its log
    with database.writing():
        pass  # the connection is open
    file.write_bytes(b"no database " * 1_000)
    with pytest.raises(DatabaseError, match=r"is not a database|is malformed") as caught:
        database.writing().__enter__()
    assert not isinstance(caught.value, DatabaseUnavailable)
    database.dispose()


def test_a_database_that_comes_back_is_used_again(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/later/todo.db")
    with pytest.raises(DatabaseUnavailable), database.writing():
        pass
    (tmp_path / "later").mkdir()
    with database.writing() as connection:
        assert schema.current(connection) == schema.needed()
    database.dispose()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("todo.db", "is not a database URL; write it like sqlite:///todo.db"),
        ("mysql://bot:hunter2@127.0.0.1/todo", "names mysql"),
        ("sqlite://", "in memory, which keeps nothing"),
        ("sqlite:///:memory:", "in memory, which keeps nothing"),
    ],
)
def test_a_url_that_cannot_work_is_refused(url: str, words: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        make_engine(url)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
