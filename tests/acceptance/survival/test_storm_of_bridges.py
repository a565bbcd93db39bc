"""Bridges are killed under connected clients; `make storm` has 1,000 of them, and kills Kafka as well."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import jwt
import pytest
from websockets.exceptions import WebSocketException

from tasks.events.cloud_events import record_of
from tests.helpers.broken_kafka import jvm
from tests.helpers.live_client import LiveClient
from tests.helpers.ports import free_port
from tests.helpers.programs import TODO_WORKERS
from tests.helpers.repository import REPOSITORY
from tests.helpers.samples import a_todo, an_event, an_owner
from tests.helpers.waiting import wait_for
from tests.helpers.warm import WarmProcess
from workers import Cluster
from workers.errors import KafkaUnreachable
from workers.kafka.producing.producer import DurableProducer
from workers.local_kafka.server import LocalKafka
from workers.records.envelope import Record

CLIENTS = int(os.environ.get("STORM_CLIENTS", "12"))
EVENTS = 10 * CLIENTS
KILLS = 2 if CLIENTS < 100 else 8
SECRET = "a secret of thirty-two bytes or more"
PATIENCE_S = 120 + CLIENTS / 4

pytestmark = [pytest.mark.long, pytest.mark.timeout(3 * PATIENCE_S)]


class Bridges:
    """Two bridges, each on a port of its own, as behind a balancer."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self._env = env
        self._log = log
        self.ports = [free_port(), free_port()]
        self._running = [self._start(port) for port in self.ports]

    def _start(self, port: int) -> WarmProcess:
        with self._log.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            return WarmProcess(
                [*TODO_WORKERS, "bridge"],
                env=self._env | {"WEB_LIVE_PORT": str(port)},
                folder=REPOSITORY,
                stdin=nothing,
                stdout=log,
                stderr=log,
            )

    def kill(self, number: int) -> None:
        """SIGKILL one and start it again."""
        self._running[number].kill()
        self._running[number].wait(30)
        self._running[number] = self._start(self.ports[number])

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.wait(30)


class Person(threading.Thread):
    """A client that comes back whenever its connection ends, to whichever bridge answers."""

    def __init__(self, number: int, ports: list[int]) -> None:
        super().__init__(daemon=True)
        self.owner = f"person-{number}@example.com"
        token = jwt.encode({"email": self.owner, "aud": "todo", "exp": time.time() + 3_600}, SECRET)
        self.client = LiveClient("", token)
        self.is_welcome = threading.Event()
        self.may_leave = threading.Event()
        self.connections = 0
        self._ports = ports
        self._chance = random.Random(number)

    def run(self) -> None:
        while not self.may_leave.is_set():
            self.client.url = f"ws://127.0.0.1:{self._chance.choice(self._ports)}/live"
            with suppress(OSError, WebSocketException, AssertionError, TimeoutError):
                self.client.connect(timeout_s=60)
                self.connections += 1
                self.is_welcome.set()
                self._read()
            self.client.disconnect()
            self.may_leave.wait(self._chance.uniform(0.1, 0.5))

    def _read(self) -> None:
        while not self.may_leave.is_set():
            with suppress(TimeoutError):
                if self.client.receive(0.5) is None:
                    return


def storm(cluster: Cluster, namespace: str, folder: Path, break_kafka: threading.Event | None) -> None:
    """Publish events while bridges are killed; in the middle, ``break_kafka`` has Kafka killed."""
    env = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": cluster.address,
        "KAFKA_NAMESPACE": namespace,
        "KAFKA_PARTITIONS": "4",
        "WEB_JWT_SECRET": SECRET,
        "WEB_CONNECTIONS_PER_ADDRESS": "5000",
        "DATABASE_URL": f"sqlite:///{folder}/todo.db",
    }
    bridges = Bridges(env, folder / "bridges.log")
    people = [Person(number, bridges.ports) for number in range(CLIENTS)]
    producer, chance = DurableProducer(cluster), random.Random(7)
    wanted: dict[str, list[str]] = defaultdict(list)
    try:
        for person in people:
            person.start()
        wait_for(lambda: all(person.is_welcome.is_set() for person in people), PATIENCE_S)
        for number in range(EVENTS):
            owner = chance.choice(people).owner
            todo = a_todo(id=f"todo-{owner}", title=str(number), owner=an_owner(email=owner))
            wanted[owner].append(str(number))
            record = record_of(an_event(todo=todo))
            wait_for(lambda record=record: delivered(producer, f"{namespace}.events", record), PATIENCE_S)  # type: ignore[misc]
            if number % (EVENTS // KILLS) == EVENTS // KILLS // 2:
                bridges.kill(chance.randrange(2))
            if number == EVENTS // 2 and break_kafka is not None:
                break_kafka.set()
        wait_for(lambda: all(len(p.client.events) >= len(wanted[p.owner]) for p in people), PATIENCE_S)
    finally:
        for person in people:
            person.may_leave.set()
        for person in people:
            person.join(60)
        bridges.end()
        producer.close()
    came_back = sum(person.connections - 1 for person in people)
    print(f"live storm: {CLIENTS} clients, {EVENTS} events, {KILLS} kills, came back {came_back} times")  # noqa: T201
    assert came_back >= KILLS
    for person in people:
        shown = [event["data"]["todo"]["title"] for event in person.client.events]
        assert (shown, person.client.resyncs) == (wanted[person.owner], [])


def delivered(producer: DurableProducer, topic: str, record: Record) -> bool:
    """Whether Kafka has the record; it is written again where nobody knows, with its id."""
    try:
        producer.deliver(topic, record)
    except KafkaUnreachable:
        return False
    return True


@pytest.mark.skipif(CLIENTS >= 100, reason="the other one kills Kafka too")
def test_clients_of_bridges_that_are_killed_miss_nothing_and_show_nothing_twice(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    storm(cluster, namespace, tmp_path, None)


@pytest.mark.skipif(CLIENTS < 100, reason="make storm: STORM_CLIENTS is not set")
def test_clients_of_bridges_and_of_a_kafka_that_are_killed_miss_nothing_and_show_nothing_twice(
    namespace: str, tmp_path: Path
) -> None:
    with LocalKafka(data_dir=tmp_path / "kafka") as kafka:
        cluster = Cluster((kafka.bootstrap_servers,))
        port = int(kafka.bootstrap_servers.rpartition(":")[2])
        is_time, is_over = threading.Event(), threading.Event()

        def kill_and_start() -> None:
            is_time.wait()
            jvm(kafka).kill()
            kafka.wait()
            kafka.stop()
            with LocalKafka(port=port, data_dir=tmp_path / "kafka"):
                is_over.wait()

        breaker = threading.Thread(target=kill_and_start)
        breaker.start()
        try:
            storm(cluster, namespace, tmp_path, is_time)
        finally:
            is_time.set()
            is_over.set()
            breaker.join()
