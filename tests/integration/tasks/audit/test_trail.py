"""The audit trail on SQLite and on PostgreSQL: one row for each event, whoever writes at the same time."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from tasks.audit.entries import entry_of
from tasks.audit.trail import AuditStore, Recording, append, audit_trail
from tasks.events.models import Event
from tasks.storage.database import Database
from tests.helpers import warm
from tests.helpers.programs import run_warm
from tests.helpers.samples import KINDS, NOON, a_todo, an_event
from tests.helpers.waiting import wait_for

THREADS = 8
PROCESSES = 3


@pytest.fixture
def store(database: Database) -> AuditStore:
    return AuditStore(database)


def rows(database: Database) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(select(audit_trail).order_by(audit_trail.c.sequence)))


def count(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(audit_trail)).scalar_one()


def test_a_row_holds_what_happened(database: Database, store: AuditStore) -> None:
    events = [an_event(kind, todo=a_todo(title="Größe 日本語 <b>\x01")) for kind in KINDS]
    later = NOON + timedelta(seconds=5, microseconds=7)
    assert {store.record(event, recorded_at=later) for event in events} == {Recording.RECORDED}
    written = rows(database)
    assert [row.event_id for row in written] == [str(event.event_id) for event in events]
    assert [row.type for row in written] == list(KINDS)
    assert {(row.time, row.recorded_at, row.actor, row.todo_id) for row in written} == {
        (NOON, later, "user:42", "todo-1")
    }
    todo = events[0].todo.model_dump(mode="json", exclude_unset=True)
    assert [(row.before, row.after, row.details) for row in written] == [
        (None, todo, {}),
        ({"title": "Buy bread"}, {"title": "Buy milk"}, {"todo": todo}),
        (None, todo, {}),
        (todo, None, {}),
    ]


def test_a_repeated_event_leaves_one_row(database: Database, store: AuditStore) -> None:
    event, other = an_event(), an_event()
    later = NOON + timedelta(hours=1)
    assert store.record(event, recorded_at=NOON) is Recording.RECORDED
    assert store.record(event, recorded_at=later) is Recording.REPEATED
    outcomes = store.record_all([event, other, other], recorded_at=later)
    assert outcomes == [Recording.REPEATED, Recording.RECORDED, Recording.REPEATED]
    assert [(row.event_id, row.recorded_at) for row in rows(database)] == [
        (str(event.event_id), NOON),
        (str(other.event_id), later),
    ]


def test_another_event_under_a_recorded_id_is_noticed_and_changes_nothing(
    database: Database, store: AuditStore
) -> None:
    event = an_event()
    store.record(event, recorded_at=NOON)
    for other in (
        event.model_copy(update={"actor": "user:7"}),
        an_event("todo.deleted", event_id=event.event_id),
    ):
        assert store.record(other, recorded_at=NOON) is Recording.DIFFERS
    (row,) = rows(database)
    assert (row.actor, row.type) == ("user:42", "todo.created")


def write_at_once(url: str, shared: list[Event], own: list[Event], start: Barrier) -> int:
    """Record events in many threads; give how many were new. Runs in a process of its own."""
    database = Database(url, pool_size=THREADS)
    store = AuditStore(database)

    def is_new(event: Event) -> bool:
        return store.record(event, recorded_at=NOON) is Recording.RECORDED

    start.wait(30)
    with ThreadPoolExecutor(THREADS) as threads:
        added = sum(threads.map(is_new, [*shared, *own]))
    database.dispose()
    return added


@pytest.mark.parametrize(
    "new_database_url", ["postgresql", pytest.param("sqlite", marks=pytest.mark.long)], indirect=True
)
def test_many_processes_and_threads_start_and_write_at_once(new_database_url: str) -> None:
    # With SQLite, no file exists yet: the start is the hard part.
    database = Database(new_database_url)
    if not database.is_sqlite:
        database.upgrade()
    shared = [an_event() for _ in range(40)]
    with warm.context.Manager() as manager, warm.context.Pool(PROCESSES) as pool:
        start = manager.Barrier(PROCESSES)
        jobs = [(new_database_url, shared, [an_event() for _ in range(40)], start) for _ in range(PROCESSES)]
        added = pool.starmap(write_at_once, jobs, chunksize=1)
    assert sum(added) == count(database) == 40 + PROCESSES * 40
    database.dispose()


@pytest.mark.parametrize("default", ["repeatable read", "serializable"])
def test_who_waits_for_the_chain_sees_its_new_end_whatever_the_server_s_default_is(
    postgresql_url: str, default: str
) -> None:
    database = Database(postgresql_url)
    database.upgrade()
    with database.writing() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_isolation = '{default}'"))
    database.dispose()  # it counts for new connections
    store = AuditStore(database)
    with ThreadPoolExecutor(1) as threads:
        with database.writing() as connection:
            append(connection, [(entry_of(an_event()), NOON)])
            other = threads.submit(store.record, an_event(), recorded_at=NOON)
            wait_for(lambda: waits_for_a_lock(database))
        assert other.result(30) is Recording.RECORDED
    assert [row.sequence for row in rows(database)] == [1, 2]
    database.dispose()


def waits_for_a_lock(database: Database) -> bool:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with database.reading() as connection:
        return bool(connection.execute(text(waiting)).scalar_one())


def test_the_actor_works_on_either_side_of_a_fork(
    database_url: str, database: Database, tmp_path: Path
) -> None:
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
    data = json.dumps([event.model_dump(mode="json") for event in events])
    done = run_warm("-c", code, env={"DATABASE_URL": database_url}, stdin=data, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [row.event_id for row in rows(database)] == [str(event.event_id) for event in events]
    assert f"audit.recorded event_id={events[1].event_id} type=todo.created todo_id=todo-1" in done.stderr
    assert f"audit.repeated event_id={events[2].event_id} type=todo.created todo_id=todo-1" in done.stderr
