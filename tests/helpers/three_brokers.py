"""A cluster of three brokers, each of which can be killed, stopped and started again."""

from __future__ import annotations

import subprocess
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.helpers.smtp_server import free_port
from tests.helpers.waiting import wait_for
from workers import Cluster
from workers.errors import WorkersError
from workers.kafka import KafkaError, connect_admin
from workers.local_kafka import config
from workers.local_kafka.jars import default_cache_dir
from workers.local_kafka.java import find_java

NODES = (1, 2, 3)
_START_TIMEOUT_S = 120.0


class ThreeBrokers:
    """Copies everything three times, and takes a record when two brokers have it; ends with the block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._java = find_java(default_cache_dir().absolute()).command()
        self._ports = {node: (free_port(), free_port()) for node in NODES}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def bootstrap_servers(self) -> tuple[str, ...]:
        return tuple(f"127.0.0.1:{client}" for client, _ in self._ports.values())

    def __enter__(self) -> Self:
        cluster_id = config.cluster_id(uuid.uuid4())
        for node in NODES:
            home = self._home(node)
            home.mkdir(parents=True)
            (home / config.PROPERTIES_FILE).write_text(self._properties(node))
            command = [*self._java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster_id]
            command += ["--config", config.PROPERTIES_FILE]
            subprocess.run(command, cwd=home, check=True, capture_output=True)
        try:
            for node in NODES:
                self._spawn(node)
            for node in NODES:
                self._wait_until_started(node)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._end()

    def kill(self, node: int) -> None:
        self._processes[node].kill()
        self._processes.pop(node).wait()

    def stop(self, node: int) -> None:
        """As an operator does: the broker hands its partitions over and ends."""
        self._processes[node].terminate()
        self._processes.pop(node).wait(60)

    def start(self, node: int, *, others_run: bool = True) -> None:
        """Start it, and wait until it is in sync again with the others, if they all run."""
        self._spawn(node)
        self._wait_until_started(node)
        if others_run:
            wait_for(self._all_in_sync, _START_TIMEOUT_S)

    def leads_nothing(self, node: int) -> bool:
        """Whether the others have taken over the partitions of a broker that is gone."""
        return all(partition["leader_id"] not in {node, -1} for partition in self._partitions())

    def in_sync(self, topic: str) -> list[int]:
        """The brokers that have all of the first partition of a topic."""
        with suppress(KafkaError, WorkersError), connect_admin(Cluster(self.bootstrap_servers)) as admin:
            (described,) = admin.describe_topics([topic])
            return list(described["partitions"][0]["isr_nodes"])
        return []

    def _all_in_sync(self) -> bool:
        return all(
            len(partition["isr_nodes"]) == len(partition["replica_nodes"]) for partition in self._partitions()
        )

    def _partitions(self) -> list[dict[str, Any]]:
        """All partitions; while brokers come and go Kafka may not tell, and this waits."""
        return wait_for(self._described, _START_TIMEOUT_S)

    def _described(self) -> list[dict[str, Any]]:
        with suppress(KafkaError, WorkersError), connect_admin(Cluster(self.bootstrap_servers)) as admin:
            return [each for topic in admin.describe_topics() for each in topic["partitions"]]
        return []

    def _spawn(self, node: int) -> None:
        (self._home(node) / "kafka.log").write_bytes(b"")
        with (self._home(node) / "kafka.log").open("ab") as log:
            self._processes[node] = subprocess.Popen(
                [*self._java, "kafka.Kafka", config.PROPERTIES_FILE],
                cwd=self._home(node),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _wait_until_started(self, node: int) -> None:
        log = self._home(node) / "kafka.log"
        wait_for(lambda: config.STARTED in log.read_text(errors="replace"), _START_TIMEOUT_S)

    def _end(self) -> None:
        for node in list(self._processes):
            self.kill(node)

    def _home(self, node: int) -> Path:
        return self._folder / f"broker-{node}"

    def _properties(self, node: int) -> str:
        client, controller = self._ports[node]
        voters = ",".join(f"{each}@127.0.0.1:{ports[1]}" for each, ports in self._ports.items())
        properties = {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": voters,
            "listeners": f"CLIENT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"CLIENT://127.0.0.1:{client}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "CLIENT",
            "log.dirs": config.LOG_DIR,
            "auto.create.topics.enable": "false",
            "default.replication.factor": 3,
            "min.insync.replicas": 2,
            "offsets.topic.replication.factor": 3,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 3,
            "transaction.state.log.min.isr": 2,
            "transaction.state.log.num.partitions": 2,
            "log.cleaner.dedupe.buffer.size": 2_097_152,
        }
        return "".join(f"{name}={value}\n" for name, value in properties.items())
