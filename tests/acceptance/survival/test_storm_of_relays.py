"""Relays of an outbox are killed again and again while rows are committed; `make storm` has 20,000."""

from __future__ import annotations

import json
import os
import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from tasks.events.cloud_events import record_of
from tests.helpers.kafka_reading import read_topic
from tests.helpers.programs import TODO_WORKERS
from tests.helpers.repository import REPOSITORY
from tests.helpers.samples import a_todo, an_event
from tests.helpers.waiting import wait_for
from tests.helpers.warm import WarmProcess
from workers import Cluster
from workers.outbox.adding import add
from workers.outbox.outbox import Outbox

ROWS = int(os.environ.get("STORM_ROWS", "400"))
KILLS = max(3, ROWS // 1_000)
WRITERS = 4
#: Todos of each writer.
TODOS = 5
#: Generous for a machine that others use.
PATIENCE_S = 120 + ROWS / 50

pytestmark = [pytest.mark.long, pytest.mark.timeout(3 * PATIENCE_S)]


class Relays:
    """Two relays at a time, as an operator runs them."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self._env = env
        self._log = log
        self._running = [self._start(), self._start()]

    def _start(self) -> WarmProcess:
        with self._log.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            return WarmProcess(
                [*TODO_WORKERS, "outbox"],
                env=self._env,
                folder=REPOSITORY,
                stdin=nothing,
                stdout=log,
                stderr=log,
            )

    def kill_one(self) -> None:
        """SIGKILL the older one, which may lead, and start another."""
        process = self._running.pop(0)
        process.kill()
        process.wait(30)
        self._running.append(self._start())

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.wait(30)


def commit(url: str, topic: str, writer: int, kills: list[int]) -> None:
    """Commit events of some todos, some in one transaction, and roll others back; a part after each kill."""
    engine, chance = create_engine(url), random.Random(writer)
    counts: dict[str, int] = defaultdict(int)
    own = left = ROWS // WRITERS
    while left:
        wait_for(lambda left=left: left > own * (KILLS - len(kills)) // (KILLS + 1), PATIENCE_S)  # type: ignore[misc]
        together = min(left, chance.randint(1, 8))
        with Session(engine) as session:
            for _ in range(together):
                todo = f"todo-{writer}-{chance.randrange(TODOS)}"
                event = an_event(todo=a_todo(id=todo, title=str(counts[todo])))
                counts[todo] += 1
                add(session, topic, record_of(event), name=str(event.event_id), about=event.type)
            session.commit()
            wrong = an_event(todo=a_todo(id=f"todo-{writer}-0", title="rolled back"))
            add(session, topic, record_of(wrong), name="wrong", about="wrong")
            session.flush()
        left -= together
    engine.dispose()


def test_relays_killed_at_random_lose_no_row_and_keep_the_order_of_each_todo(
    cluster: Cluster, namespace: str, database_url: str, tmp_path: Path
) -> None:
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    outbox = Outbox(engine)
    env = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": cluster.address,
        "KAFKA_NAMESPACE": namespace,
        "KAFKA_PARTITIONS": "4",
        "DATABASE_URL": database_url,
    }
    topic = f"{namespace}.events"
    relays = Relays(env, tmp_path / "relays.log")
    kills: list[int] = []
    try:
        with ThreadPoolExecutor(WRITERS) as threads:
            address = url.render_as_string(hide_password=False)
            writers = [threads.submit(commit, address, topic, number, kills) for number in range(WRITERS)]
            for kill in range(KILLS):
                before = wait_for(lambda: outbox.status().waiting, PATIENCE_S)
                wait_for(lambda before=before: outbox.status().waiting < before, PATIENCE_S)  # type: ignore[misc]
                relays.kill_one()
                kills.append(kill)
            for writer in writers:
                writer.result()
        wait_for(lambda: outbox.status().waiting == 0, PATIENCE_S)
    finally:
        relays.end()
    assert outbox.status().set_aside == 0
    engine.dispose()
    written = [json.loads(record.value) for record in read_topic(cluster, topic)]
    repeated = len(written) - len({event["id"] for event in written})
    print(f"outbox storm: {ROWS} rows, {len(kills)} kills, repeated {repeated}")  # noqa: T201
    numbers: dict[str, list[int]] = defaultdict(list)
    seen: set[str] = set()
    for event in written:
        if event["id"] not in seen:
            seen.add(event["id"])
            numbers[event["subject"]].append(int(event["data"]["todo"]["title"]))
    assert len(seen) == ROWS
    # Each number once, so a repeated event has its id again.
    assert all(found == [*range(len(found))] for found in numbers.values())
