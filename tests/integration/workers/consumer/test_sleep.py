"""The consumer of an idle queue sleeps for longer than dramatiq's time-out, and nothing waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.consumer import passing_on
from workers.consumer.queue_consumer import QueueConsumer
from workers.kafka.patches.consumer import QuietConsumer
from workers.partitions.commit_metadata import decode_load

#: As long as a sleep lasts if nobody ends it.
SLEEP_S = 10.0


class Sleeps:
    """Notes for how long consumers want to sleep, whether one does, and whether one has that was busy."""

    is_busy: Callable[[], bool] = staticmethod(lambda: False)
    has_been_busy = False

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.longest_s = 0.0
        self.asleep = threading.Event()
        sleep = QuietConsumer.sleep

        def noted(consumer: QuietConsumer, timeout_s: float) -> bool:
            self.longest_s = max(self.longest_s, timeout_s)
            if consumer._fetcher.is_quiet:
                self.asleep.set()
                self.has_been_busy |= self.is_busy()
            try:
                return sleep(consumer, timeout_s)
            finally:
                self.asleep.clear()

        monkeypatch.setattr(QuietConsumer, "sleep", noted)


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> Sleeps:
    return Sleeps(monkeypatch)


@pytest.fixture
def ran() -> threading.Event:
    return threading.Event()


@contextmanager
def running(broker: KafkaBroker) -> Iterator[Worker]:
    """A worker of one thread, which stops with its broker also if the test fails."""
    worker = Worker(broker, worker_threads=1)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
        broker.close()


@pytest.fixture
def worker(cluster: Cluster, namespace: str, sleeps: Sleeps, ran: threading.Event) -> Iterator[Worker]:
    """A worker whose consumer is asleep."""
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1, run_mover=False)
    dramatiq.actor(broker=broker, actor_name="work")(ran.set)
    with running(broker) as worker:
        wait_for(sleeps.asleep.is_set)
        yield worker


def test_a_job_that_comes_runs_at_once(worker: Worker, sleeps: Sleeps, ran: threading.Event) -> None:
    worker.broker.get_actor("work").send()
    assert ran.wait(SLEEP_S / 2)
    assert sleeps.longest_s == SLEEP_S
    wait_for(sleeps.asleep.is_set)  # again, once it is committed


def test_a_process_says_that_it_is_no_longer_busy_before_it_sleeps(
    cluster: Cluster, namespace: str, sleeps: Sleeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its last commit is done before the next look at the jobs that wait."""
    monkeypatch.setattr(passing_on, "_WAITED_S", 0.1)
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1, run_mover=False, commit_interval_ms=10)
    go_on = threading.Event()
    actor = dramatiq.actor(broker=broker, actor_name="work")(go_on.wait)
    with running(broker) as worker, ExitStack() as at_end:
        at_end.callback(go_on.set)  # before the worker stops, which waits for its job
        for _ in range(2):
            actor.send()
        consumer = wait_for(lambda: worker.consumers["default"].consumer)
        assert isinstance(consumer, QueueConsumer)

        def is_busy() -> bool:
            """Whether its last commit says so."""
            owned = list(consumer._assignment.partitions.values())
            return any(decode_load(each._committed[1]).busy for each in owned)

        wait_for(is_busy)
        sleeps.is_busy = is_busy
        monkeypatch.setattr(passing_on, "_LOOK_INTERVAL_S", 1.0)
        wait_for(lambda: consumer._passing_on._look_at > time.monotonic() + 0.5)
        go_on.set()
        wait_for(sleeps.asleep.is_set)
    assert not sleeps.has_been_busy


@pytest.mark.parametrize("end", [Worker.pause, Worker.stop])
def test_a_worker_that_pauses_or_stops_need_not_wait(worker: Worker, end: Callable[[Worker], None]) -> None:
    began_at = time.monotonic()
    end(worker)
    assert time.monotonic() - began_at < SLEEP_S / 2


def test_nobody_else_waits_for_longer_than_told(cluster: Cluster, namespace: str, sleeps: Sleeps) -> None:
    """Who is to wake the thread of another program is not known."""
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1)
    broker.declare_queue("default")
    consumer = broker.consume("default", timeout=50)
    assert isinstance(consumer, QueueConsumer)
    wait_for(lambda: next(consumer) is None and consumer._commits.is_at_rest)
    for _ in range(20):
        assert next(consumer) is None
    consumer.close()
    broker.close()
    assert sleeps.longest_s == 0
