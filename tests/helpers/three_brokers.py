"""A cluster of three brokers, each of which can be killed, stopped and started again."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

import psutil

from tests.helpers.waiting import wait_for
from workers import Cluster
from workers.errors import WorkersError
from workers.kafka import KafkaError, connect_admin
from workers.local_kafka import LocalCluster

NODES = (1, 2, 3)
_IN_SYNC_TIMEOUT_S = 120.0


class ThreeBrokers:
    """`LocalCluster` under the hands of a test; ends with the block."""

    def __init__(self) -> None:
        self._cluster = LocalCluster(brokers=len(NODES))

    @property
    def bootstrap_servers(self) -> tuple[str, ...]:
        return tuple(self._cluster.addresses.values())

    def __enter__(self) -> Self:
        self._cluster.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.stop()

    def kill(self, node: int) -> None:
        self._jvm(node).kill()
        self._wait_for_end(node)

    def stop(self, node: int) -> None:
        """As an operator does: the broker hands its partitions over and ends."""
        self._jvm(node).terminate()
        self._wait_for_end(node)

    def start(self, node: int, *, others_run: bool = True) -> None:
        """Start it, and wait until it is in sync again with the others, if they all run."""
        self._cluster.start_again(node)
        if others_run:
            self.wait_until_in_sync()

    @contextmanager
    def cut_off(self, node: int) -> Iterator[None]:
        """The broker does nothing inside the block, and its connections stay open."""
        process = self._jvm(node)
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def wait_until_in_sync(self) -> None:
        """Wait until each broker has all of what it should have copies of."""
        wait_for(self._all_in_sync, _IN_SYNC_TIMEOUT_S)

    def _jvm(self, node: int) -> psutil.Process:
        (process,) = psutil.Process(self._cluster.nodes[node].pid).children()
        return process

    def _wait_for_end(self, node: int) -> None:
        guard = self._cluster.nodes[node].guard
        assert guard is not None
        guard.wait(60)

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
        return wait_for(self._described, _IN_SYNC_TIMEOUT_S)

    def _described(self) -> list[dict[str, Any]]:
        with suppress(KafkaError, WorkersError), connect_admin(Cluster(self.bootstrap_servers)) as admin:
            return [each for topic in admin.describe_topics() for each in topic["partitions"]]
        return []
