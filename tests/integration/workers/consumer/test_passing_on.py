"""Jobs that wait behind a long one run in another process that has free threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.kafka_reading import read_topic
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.consumer.queue_consumer import QueueConsumer
from workers.errors import KafkaUnreachable
from workers.kafka import is_joining
from workers.kafka.producing.producer import DurableProducer

StartWorker = Callable[..., Worker]
LONG = -1


class Fleet:
    """Two processes of one thread each; the job LONG runs until it is released."""

    def __init__(self, cluster: Cluster, namespace: str, start_worker: StartWorker) -> None:
        self.ran: Counter[int] = Counter()
        self.begun, self.release = threading.Event(), threading.Event()
        self.brokers = [self._broker(cluster, namespace) for _ in range(2)]
        self.workers = [start_worker(broker, threads=1) for broker in self.brokers]
        wait_for(lambda: all(map(self._has_two_partitions, self.workers)))

    def _broker(self, cluster: Cluster, namespace: str) -> KafkaBroker:
        broker = KafkaBroker(cluster, namespace=namespace, partitions=4, commit_interval_ms=50)

        @dramatiq.actor(broker=broker, actor_name="work", max_retries=0)
        def work(number: int) -> None:
            if number == LONG:
                self.begun.set()
                assert self.release.wait(60)
            self.ran[number] += 1

        return broker

    def _has_two_partitions(self, worker: Worker) -> bool:
        consumer = worker.consumers["default"].consumer
        if not isinstance(consumer, QueueConsumer):
            return False
        client = consumer._assignment._client
        return len(client.assignment()) == 2 and not is_joining(client)

    def send(self, *numbers: int, **options: object) -> None:
        for number in numbers:
            message = dramatiq.Message[None]("default", "work", (number,), {}, dict(options))
            self.brokers[0].enqueue(message)

    def keep_one_busy(self) -> None:
        self.send(LONG)
        assert self.begun.wait(30)

    def end(self) -> None:
        self.release.set()
        self.brokers[0].join("default", timeout=60_000)

    def records(self) -> int:
        return len(read_topic(self.brokers[0].cluster, self.brokers[0].topics.jobs("default")))


@pytest.fixture
def fleet(cluster: Cluster, namespace: str, start_worker: StartWorker) -> Iterator[Fleet]:
    made = Fleet(cluster, namespace, start_worker)
    yield made
    made.release.set()
    for worker, broker in zip(made.workers, made.brokers, strict=True):
        worker.stop()
        broker.close()


def test_short_jobs_do_not_wait_for_a_long_one(fleet: Fleet) -> None:
    fleet.keep_one_busy()
    fleet.send(*range(20))
    wait_for(lambda: len(fleet.ran) == 20)
    assert LONG not in fleet.ran
    fleet.send(*range(20, 30))  # also those that come later
    wait_for(lambda: len(fleet.ran) == 30)
    fleet.end()
    assert fleet.ran == dict.fromkeys([LONG, *range(30)], 1)


def test_jobs_with_a_key_wait(fleet: Fleet) -> None:
    fleet.keep_one_busy()
    for number in range(20):
        fleet.send(number, key=f"user:{number}")
    fleet.send(100)
    wait_for(lambda: fleet.ran[100] == 1 or len(fleet.ran) > 5)
    fleet.end()
    assert fleet.ran == dict.fromkeys([LONG, *range(20), 100], 1)
    assert fleet.records() <= 22 + 1


def test_jobs_that_cannot_be_passed_on_run_where_they_are(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, refused = DurableProducer.send, Counter[int]()

    def refuse(self: DurableProducer, *args: Any, partition: int | None = None, **options: Any) -> Any:
        if partition is None:
            return send(self, *args, **options)
        refused[partition] += 1
        raise KafkaUnreachable("no leader")

    monkeypatch.setattr(DurableProducer, "send", refuse)
    fleet.keep_one_busy()
    fleet.send(*range(20))
    wait_for(lambda: len(refused) == 2)
    assert LONG not in fleet.ran
    fleet.end()
    assert fleet.ran == dict.fromkeys([LONG, *range(20)], 1)
    assert fleet.records() <= 21


def test_a_process_that_leaves_meanwhile_repeats_and_loses_nothing(fleet: Fleet) -> None:
    fleet.keep_one_busy()
    fleet.send(*range(40))
    wait_for(lambda: len(fleet.ran) > 25)
    leaving = next(worker for worker in fleet.workers if not worker.work_queue.empty())
    stopping = threading.Thread(target=leaving.stop)
    stopping.start()
    fleet.release.set()
    stopping.join()
    fleet.end()
    assert fleet.ran == dict.fromkeys([LONG, *range(40)], 1)
