"""`todo-workers outbox`: relays until it is stopped, and shows and decides about what was set aside."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from sqlalchemy.orm import Session

from tasks.storage.database import Database
from tests.helpers.programs import TODO_WORKERS, output_of, todo_workers
from tests.helpers.repository import REPOSITORY
from tests.helpers.waiting import wait_for
from tests.helpers.warm import WarmProcess
from workers import Cluster
from workers.outbox.adding import add
from workers.records.envelope import Record


def test_rows_are_relayed_and_what_is_set_aside_is_shown_and_decided_about(
    cluster: Cluster, namespace: str, sqlite: Database, tmp_path: Path
) -> None:
    env = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": cluster.address,
        "KAFKA_NAMESPACE": namespace,
        "DATABASE_URL": f"sqlite:///{tmp_path}/todo.db",
    }
    topic = f"{namespace}.events"
    with Session(sqlite.engine) as session, session.begin():
        add(session, topic, Record(b"todo-1", b"x" * 1_300_000, []), name="id-1", about="todo.created")
        add(session, topic, Record(b"todo-2", b"{}", []), name="id-2", about="todo.created")
    status = output_of(todo_workers("status", env=env))
    assert "outbox: 2 wait, the oldest for" in status
    assert "NO RELAY WORKS" in status
    shown = json.loads(
        output_of(todo_workers("outbox", "list", "--waiting", "--limit", "1", "--json", env=env))
    )
    assert (shown["name"], shown["key"], shown["error"]) == ("id-1", "todo-1", None)

    out = tmp_path / "out"
    with out.open("wb") as stdout, Path(os.devnull).open("rb") as nothing:
        relay = WarmProcess(
            [*TODO_WORKERS, "outbox", "--json"],
            env=env,
            folder=REPOSITORY,
            stdin=nothing,
            stdout=stdout,
            stderr=stdout,
        )
    try:
        wait_for(
            lambda: '"published": 1, ' in out.read_text() and '"waiting_aside": 1' in out.read_text(), 60
        )
        relay.send_signal(signal.SIGTERM)
        assert relay.wait(30) == 0
    finally:
        relay.kill()
    assert f"relaying the outbox in sqlite:///{tmp_path}/todo.db to {namespace}" in out.read_text()
    assert "outbox.set_aside row=1" in out.read_text()

    doctor = todo_workers("doctor", env=env).stdout
    assert "WRONG  outbox       0 wait, 1 set aside, no relay works; todo-workers outbox list" in doctor
    listed = output_of(todo_workers("outbox", "list", env=env))
    assert "MessageTooLarge" in listed
    assert output_of(todo_workers("outbox", "retry", "7", env=env)) == "0 will be tried again\n"
    assert output_of(todo_workers("outbox", "drop", "--all", env=env)) == "1 dropped\n"
    assert output_of(todo_workers("outbox", "list", env=env)) == "nothing was set aside\n"
    assert todo_workers("outbox", "drop", env=env).returncode == 2
