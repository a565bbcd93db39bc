"""Partitions that change hands while jobs run."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker
from dramatiq.middleware import SkipMessage
from dramatiq.worker import WorkerThread, _WorkQueueItem

from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.partitions.taken_message import TakenMessage

Join = Callable[..., KafkaBroker]


@pytest.fixture
def ran() -> Counter[int]:
    return Counter()


@pytest.fixture
def join(cluster: Cluster, namespace: str, ran: Counter[int]) -> Iterator[Join]:
    """Adds a worker, with a broker of its own as in a process of its own, to the one queue."""
    workers: list[tuple[KafkaBroker, Worker]] = []

    def add(*, pause_s: float = 0.005, threads: int = 4, **options: object) -> KafkaBroker:
        broker = KafkaBroker(cluster, namespace=namespace, partitions=4, commit_interval_ms=50, **options)  # type: ignore[arg-type]

        @dramatiq.actor(broker=broker, actor_name="work", max_retries=0)
        def work(number: int) -> None:
            time.sleep(pause_s)
            ran[number] += 1

        worker = Worker(broker, worker_timeout=100, worker_threads=threads)
        worker.start()
        workers.append((broker, worker))
        return broker

    yield add
    for broker, worker in workers:
        worker.stop()
        broker.close()


def send(broker: KafkaBroker, numbers: range) -> None:
    with broker.batch():
        for number in numbers:
            broker.enqueue(dramatiq.Message("default", "work", (number,), {}, {}))


def test_a_member_that_joins_repeats_no_job(join: Join, ran: Counter[int]) -> None:
    first = join()
    send(first, range(800))
    wait_for(lambda: len(ran) > 100)
    join()
    first.join("default", timeout=60_000)
    assert ran == dict.fromkeys(range(800), 1)


def test_a_member_that_leaves_hands_over_what_it_has_not_run(
    cluster: Cluster, namespace: str, join: Join, ran: Counter[int]
) -> None:
    leaving = KafkaBroker(cluster, namespace=namespace, partitions=4, commit_interval_ms=50)

    @dramatiq.actor(broker=leaving, actor_name="work", max_retries=0)
    def work(number: int) -> None:
        time.sleep(0.005)
        ran[number] += 1

    send(leaving, range(1_100))
    worker = Worker(leaving, worker_timeout=100, worker_threads=4)
    worker.start()
    wait_for(lambda: len(ran) > 100)
    worker.stop()
    assert len(ran) < 1_100
    join()
    leaving.join("default", timeout=60_000)
    leaving.close()
    assert ran == dict.fromkeys(range(1_100), 1)


def test_a_job_that_is_skipped_while_its_partition_leaves_is_not_done(
    cluster: Cluster, namespace: str, join: Join, ran: Counter[int]
) -> None:
    leaving = KafkaBroker(cluster, namespace=namespace, partitions=4)
    leaving.declare_queue("default")
    send(leaving, range(1))
    consumer = leaving.consume("default", prefetch=2, timeout=100)
    waiting = wait_for(lambda: next(consumer))
    waiting.owned.close()  # as at the beginning of a revoke, before its commit
    assert not waiting.start()
    consumer.ack(waiting)
    consumer.close()
    join().join("default", timeout=60_000)
    leaving.close()
    assert ran == {0: 1}


def test_a_job_longer_than_the_poll_interval_is_not_delivered_again(join: Join, ran: Counter[int]) -> None:
    broker = join(pause_s=3, threads=1, consumer_options={"max_poll_interval_ms": 1_000})
    send(broker, range(2))
    broker.join("default", timeout=60_000)
    assert ran == {0: 1, 1: 1}


class Seen(dramatiq.Middleware):
    """Notes which of its hooks ran."""

    def __init__(self) -> None:
        self.hooks: list[str] = []

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        self.hooks.append("before process")

    def after_skip_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        self.hooks.append("after skip")


def test_a_job_that_another_worker_runs_is_hidden_from_middleware(cluster: Cluster, namespace: str) -> None:
    """Else a time limit would stay set, and the Results middleware would store None."""
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1)
    seen = Seen()
    broker.add_middleware(seen)
    ran = threading.Event()

    @dramatiq.actor(broker=broker, actor_name="work", max_retries=0)
    def work() -> None:
        ran.set()

    work.send()
    consumer = broker.consume("default", timeout=500)
    delivery = wait_for(lambda: next(consumer))
    delivery.owned.close()  # as when its partition is taken away
    worker = Worker(broker, worker_threads=1)
    acked = threading.Event()
    consumers: Any = {"default": Consumers(acked)}
    thread = WorkerThread(
        broker=broker, consumers=consumers, work_queue=worker.work_queue, worker_timeout=100
    )
    worker.work_queue.put(_WorkQueueItem(0, delivery))
    thread.start()
    assert acked.wait(30)
    thread.stop()
    thread.join()
    assert not ran.is_set()
    assert seen.hooks == []
    consumer.close()
    broker.close()


class LosesItsPartition(Seen):
    """Skips a job, as an age limit does, while its partition is taken away."""

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        super().before_process_message(broker, message)
        assert isinstance(message, TakenMessage)
        message.owned.close()
        raise SkipMessage


def test_a_job_that_is_skipped_here_is_told_to_middleware_though_its_partition_leaves(
    cluster: Cluster, namespace: str
) -> None:
    """Else a time limit would stay set, and end a thread that runs something else."""
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1)
    seen = LosesItsPartition()
    broker.add_middleware(seen)

    @dramatiq.actor(broker=broker, actor_name="work")
    def work(number: int) -> None:
        raise AssertionError

    send(broker, range(1))
    worker = Worker(broker, worker_timeout=100, worker_threads=1)
    worker.start()
    wait_for(lambda: "after skip" in seen.hooks)
    worker.stop()
    broker.close()
    assert seen.hooks[:2] == ["before process", "after skip"]


class Consumers:
    """Stands where dramatiq's consumer thread takes acks."""

    def __init__(self, acked: threading.Event) -> None:
        self._acked = acked

    def post_process_message(self, message: dramatiq.MessageProxy) -> None:
        self._acked.set()
