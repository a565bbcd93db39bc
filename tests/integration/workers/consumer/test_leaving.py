"""Members that leave their group while it waits for others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dramatiq
import pytest

from tests.helpers.kafka_reading import committed_position
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.consumer.queue_consumer import QueueConsumer
from workers.kafka import is_joining


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    """Its consumers commit when they leave, and not before."""
    broker = KafkaBroker(cluster, namespace=namespace, partitions=2, commit_interval_ms=600_000)
    broker.declare_queue("default")
    yield broker
    broker.close()


@contextmanager
def polled(*consumers: QueueConsumer) -> Iterator[None]:
    """Keeps consumers going that have nothing to run."""
    stop = threading.Event()

    def go_on(consumer: QueueConsumer) -> None:
        while not stop.is_set():
            assert next(consumer) is None

    threads = [threading.Thread(target=go_on, args=(each,)) for each in consumers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def has_settled_with_one_partition(consumer: QueueConsumer) -> bool:
    client = consumer._assignment._client
    return len(client.assignment()) == 1 and not is_joining(client)


def waits_for_others(consumer: QueueConsumer) -> bool:
    """Whether it has asked to join, and has no answer yet."""
    state: bool = consumer._assignment._client._coordinator.rebalance_in_progress()
    return state


def test_a_member_that_leaves_while_others_are_waited_for_commits_what_it_has_done(
    broker: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """A member waits up to ``revoke_timeout_ms`` for its jobs, or stalls, and all others wait for it."""
    caplog.set_level(logging.WARNING, logger="workers")
    leaving, slow = (broker.consume("default", prefetch=6, timeout=50) for _ in range(2))
    with polled(leaving, slow):
        wait_for(lambda: all(map(has_settled_with_one_partition, (leaving, slow))))
    for number in range(12):  # in turn to both partitions
        broker.enqueue(dramatiq.Message("default", "work", (number,), {}, {}))
    done = [wait_for(lambda: next(leaving)) for _ in range(6)]
    newcomer = broker.consume("default", timeout=50)
    with polled(newcomer):
        wait_for(lambda: (next(leaving), waits_for_others(leaving))[1])
        for message in done:
            leaving.ack(message)
        leaving.close()
    assert committed_position(broker, "default") == 6
    slow.close()
    newcomer.close()
    assert "commit failed" not in caplog.text
