"""A cluster loses each of its three brokers in turn under load: no job is lost, and nobody sees an error."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.three_brokers import NODES, ThreeBrokers
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.errors import WorkersError

#: Jobs a second that are sent all the time, one after the other.
RATE = 40
#: How long the cluster is left alone between two events.
CALM_S = 1.0


class Load:
    """Jobs that are sent and run all the time inside the block."""

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker
        self.sent: list[int] = []
        self.ran: Counter[int] = Counter()
        self.errors: list[WorkersError] = []
        self.slowest_s = 0.0

        @dramatiq.actor(broker=broker, actor_name="work", queue_name="default", max_retries=0)
        def work(number: int) -> None:
            self.ran[number] += 1

        self._work = work

    @contextmanager
    def running(self) -> Iterator[None]:
        worker = Worker(self._broker, worker_timeout=100, worker_threads=4)
        worker.start()
        stopping = threading.Event()
        sender = threading.Thread(target=self._send, args=(stopping,))
        sender.start()
        wait_for(lambda: len(self.ran) > RATE, 60)
        try:
            yield
        finally:
            stopping.set()
            sender.join(60)
            try:
                wait_for(lambda: len(self.ran) == len(self.sent), 60)
            finally:
                worker.stop()

    def _send(self, stopping: threading.Event) -> None:
        number = 0
        while not stopping.wait(1 / RATE):
            number += 1
            started = time.monotonic()
            try:
                self._work.send(number)
                self.sent.append(number)
            except WorkersError as exc:
                self.errors.append(exc)
            self.slowest_s = max(self.slowest_s, time.monotonic() - started)


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeBrokers]:
    with ThreeBrokers(tmp_path_factory.mktemp("brokers")) as brokers:
        yield brokers


@pytest.fixture
def load(brokers: ThreeBrokers, namespace: str) -> Iterator[Load]:
    # The default time-outs: with them the death of a broker is ridden out.
    broker = KafkaBroker(Cluster(brokers.bootstrap_servers), namespace=namespace, partitions=6)
    yield Load(broker)
    broker.close()


def test_each_broker_is_killed_in_turn(
    brokers: ThreeBrokers, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    with load.running():
        for node in NODES:
            brokers.kill(node)
            wait_for(lambda node=node: brokers.leads_nothing(node), 60)  # type: ignore[misc]
            time.sleep(CALM_S)
            brokers.start(node)
    assert load.errors == []
    assert load.ran.keys() == set(load.sent)
    assert caplog.text.count("Marking the coordinator dead") < 30
    assert len(caplog.records) < 2_000


def test_each_broker_is_restarted_in_turn(brokers: ThreeBrokers, load: Load) -> None:
    with load.running():
        for node in NODES:
            brokers.stop(node)
            time.sleep(CALM_S)
            brokers.start(node)
    assert load.errors == []
    assert load.ran == Counter(dict.fromkeys(load.sent, 1))
