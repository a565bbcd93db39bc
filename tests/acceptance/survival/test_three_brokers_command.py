"""`todo-workers kafka --brokers 3`, as somebody tries it out."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.helpers.programs import StartedProgram, start_todo_workers, todo_workers
from tests.helpers.waiting import wait_for
from workers import Cluster
from workers.kafka import connect_admin

pytestmark = pytest.mark.long


@pytest.fixture
def command() -> Iterator[StartedProgram]:
    command = start_todo_workers("kafka", "--brokers", "3", "--port", "0")
    yield command
    command.kill()
    with command:
        pass


def test_topics_get_three_copies_and_a_broker_that_dies_is_told(
    command: StartedProgram, namespace: str
) -> None:
    lines: list[str] = []
    while not (lines and lines[-1].startswith("export ")):
        lines.append(command.stdout.readline().strip())
    address = lines[-1].partition("=")[2]
    env = {"KAFKA_BOOTSTRAP_SERVERS": address, "KAFKA_NAMESPACE": namespace, "KAFKA_PARTITIONS": "2"}
    fragile = f"{namespace}.jobs.audit"
    with connect_admin(Cluster(tuple(address.split(",")))) as admin:
        admin.create_topics({fragile: {"num_partitions": 2, "replication_factor": 1}})
        assert todo_workers("topics", env=env).returncode == 0
        topics = {topic["name"]: topic for topic in admin.describe_topics()}
    copies = {
        name: {len(partition["replica_nodes"]) for partition in topic["partitions"]}
        for name, topic in topics.items()
        if name.startswith(namespace)
    }
    assert len(copies) > 10
    assert copies == {name: {3} for name in copies} | {fragile: {1}}
    checked = json.loads(todo_workers("topics", "--check", "--json", env=env).stdout)
    assert [topic["topic"] for topic in checked if topic["state"] == "differs"] == [fragile]
    told = todo_workers("doctor", env=env).stdout
    assert f"{fragile}: replication 1, wanted 3, min.insync.replicas=1, wanted 2" in told

    processes = psutil.Process(command.pid).children(recursive=True)
    assert len(processes) == 6
    second = next(line for line in lines if line.startswith("broker 2 "))
    os.kill(int(second.split()[-1]), signal.SIGKILL)
    assert command.stdout.readline().startswith("broker 2 ended by itself, 2 of 3 run; it wrote ")
    command.send_signal(signal.SIGINT)
    assert command.wait(30) == 0
    wait_for(lambda: not [process for process in processes if process.is_running()])
