"""A cluster loses each of its three brokers in turn under load: no job is lost, and nobody sees an error."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.numbers import Numbers
from tests.helpers.three_brokers import NODES, ThreeBrokers
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.errors import WorkersError
from workers.kafka import connect_admin

#: Jobs a second that are sent all the time, one after the other.
RATE = 20
#: How long the cluster is left alone between two events.
CALM_S = 1.0

pytestmark = pytest.mark.long


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


@pytest.fixture
def load(brokers: ThreeBrokers, namespace: str) -> Iterator[Load]:
    # The default time-outs: with them the death of a broker is ridden out.
    broker = KafkaBroker(Cluster(brokers.bootstrap_servers), namespace=namespace, partitions=3)
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


def lossy_numbers(brokers: ThreeBrokers, namespace: str) -> Numbers:
    """A queue that reads a log which two of the brokers have, and which either may lead with what it has."""
    broker = KafkaBroker(Cluster(brokers.bootstrap_servers), namespace=namespace, partitions=1)
    config = {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"}
    log = {"num_partitions": -1, "replication_factor": -1, "assignments": {0: [1, 2]}, "configs": config}
    with connect_admin(broker.cluster) as admin:
        admin.create_topics({broker.topics.named("numbers"): log})
        admin.wait_for_topics([broker.topics.named("numbers")])
    return Numbers(broker)


@pytest.fixture
def numbers(brokers: ThreeBrokers, namespace: str) -> Iterator[Numbers]:
    numbers = lossy_numbers(brokers, namespace)
    yield numbers
    numbers.broker.close()


@pytest.fixture
def other_numbers(brokers: ThreeBrokers, namespace: str) -> Iterator[Numbers]:
    """The numbers of a service whose worker is away while the end of its log is lost."""
    numbers = lossy_numbers(brokers, f"{namespace}-other")
    yield numbers
    numbers.broker.close()


def is_all_done(numbers: Numbers) -> bool:
    return len(numbers.ran) == 6 and numbers.waiting() == 0


# The producer of another service, kafka-python's own, leaves sockets open when a broker refuses it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_worker_goes_on_where_the_log_that_is_left_ends_and_passes_over_nothing_that_took_the_place(
    brokers: ThreeBrokers,
    numbers: Numbers,
    other_numbers: Numbers,
    start_worker: Callable[..., Worker],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whether it runs when the end of the log is lost, or starts later: one loss shows both."""
    for each in (numbers, other_numbers):
        each.write(1, 2, 3)
    start_worker(numbers.broker)
    stops_before = start_worker(other_numbers.broker)
    wait_for(lambda: len(numbers.ran) == len(other_numbers.ran) == 3, 60)
    brokers.kill(2)
    # 4, 5 and 6 run and are committed, and the broker that leads next has never seen them.
    wait_for(lambda: brokers.in_sync(numbers.log) == brokers.in_sync(other_numbers.log) == [1], 60)
    for each in (numbers, other_numbers):
        each.write(4, 5, 6)
    wait_for(lambda: is_all_done(numbers) and is_all_done(other_numbers), 60)
    stops_before.stop()
    brokers.kill(1)
    brokers.start(2, others_run=False)
    wait_for(lambda: brokers.leads_nothing(1), 60)

    numbers.write(7)
    wait_for(lambda: numbers.ran[7], 60)
    numbers.write(8, 9, 10)
    other_numbers.write(*range(7, 15))  # at the offsets from 3 on: the group has committed 6
    start_worker(other_numbers.broker)
    wait_for(lambda: len(numbers.ran) == 10 and len(other_numbers.ran) == 14, 60)
    assert numbers.ran == Counter(range(1, 11))
    told = [line for line in caplog.messages if "3 records that were read are gone" in line]
    assert any(f"topic={numbers.log} " in line for line in told), caplog.text
    brokers.start(1)
    assert numbers.letters() == []
    assert other_numbers.ran == Counter(range(1, 15))
