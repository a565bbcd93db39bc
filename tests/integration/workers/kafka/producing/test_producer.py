"""The one producer of a process: replaced when it is broken or closed, never shared over a fork."""

from __future__ import annotations

import logging
import multiprocessing
import os

import dramatiq
import pytest
from kafka.errors import IllegalStateError, KafkaTimeoutError

from tests.helpers.kafka_reading import read_topic
from workers import Cluster, KafkaBroker
from workers.errors import NotDelivered
from workers.kafka import undelivered
from workers.kafka.producing import producer


@pytest.fixture(autouse=True)
def default_queue(broker: KafkaBroker) -> None:
    broker.declare_queue("default")


def message(*args: object) -> dramatiq.Message[None]:
    return dramatiq.Message("default", "work", args, {}, {})


def _enqueue_beside_a_retired_producer(broker: KafkaBroker) -> None:
    assert producer._retired == [], "the child would close the producer of its parent"
    broker.enqueue(message("child"))
    broker.close()
    os._exit(0)


def test_a_forked_child_does_not_close_what_its_parent_retired(broker: KafkaBroker) -> None:
    broker.enqueue(message("before"))
    broken = broker.producer._producer
    assert broken is not None
    broker.producer._retire_broken(broken, KafkaTimeoutError("as after an outage"))
    child = multiprocessing.get_context("fork").Process(
        target=_enqueue_beside_a_retired_producer, args=(broker,)
    )
    child.start()
    child.join(30)
    assert child.exitcode == 0
    broker.enqueue(message("after"))
    assert broken._closed


def test_a_producer_that_another_thread_has_just_closed_is_replaced(broker: KafkaBroker) -> None:
    broker.enqueue(message(1))
    assert broker.producer._producer is not None
    broker.producer._producer.close()
    broker.enqueue(message(2))
    assert len(read_topic(broker.cluster, broker.topics.jobs("default"))) == 2


def test_a_program_that_logs_everything_shows_no_content_of_a_job(
    broker: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    library = logging.getLogger("kafka")
    level = library.level
    library.setLevel(logging.NOTSET)
    try:
        with caplog.at_level(logging.DEBUG):
            broker.enqueue(message("ana@example.com"))
        assert "ana@example.com" not in caplog.text
    finally:
        library.setLevel(level)


def test_what_a_closed_producer_still_held_may_be_sent_again(cluster: Cluster) -> None:
    error = undelivered(IllegalStateError("Producer is closed forcefully."), cluster, "write to topic t")
    assert isinstance(error, NotDelivered)
    assert isinstance(error, dramatiq.BrokerConnectionError)
