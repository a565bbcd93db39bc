"""Job topics: what is done disappears from the log, what is not done never does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker
from kafka.admin import ACLOperation, MemberToRemove, ResourceType

from tests.conftest import Login
from tests.helpers.acls import grant
from tests.helpers.kafka_reading import read_topic
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.kafka import connect_admin, connect_producer

StartWorker = Callable[..., Worker]


@pytest.fixture
def make_broker(namespace: str) -> Iterator[Callable[..., KafkaBroker]]:
    made: list[KafkaBroker] = []

    def make(cluster: Cluster, **options: Any) -> KafkaBroker:
        defaults = {"partitions": 1, "commit_interval_ms": 50, "trim_interval_ms": 100}
        made.append(KafkaBroker(cluster, namespace=namespace, **defaults | options))
        return made[-1]

    yield make
    for broker in made:
        broker.close()


def left_in(broker: KafkaBroker) -> list[int]:
    """Offsets that the log of the default queue still has."""
    return [record.offset for record in read_topic(broker.cluster, broker.topics.jobs("default"))]


def job(number: int) -> dramatiq.Message[None]:
    return dramatiq.Message("default", "work", (number,), {}, {})


def test_what_is_done_disappears_while_the_worker_runs(
    cluster: Cluster, make_broker: Callable[..., KafkaBroker], start_worker: StartWorker
) -> None:
    broker = make_broker(cluster)

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None: ...

    for number in range(10):
        work.send(number)
    start_worker(broker)
    wait_for(lambda: not left_in(broker))
    work.send(10)
    wait_for(lambda: not left_in(broker))
    broker.join("default", timeout=60_000)


def test_a_worker_that_stops_trims_a_last_time(
    cluster: Cluster, make_broker: Callable[..., KafkaBroker], start_worker: StartWorker
) -> None:
    broker = make_broker(cluster, trim_interval_ms=3_600_000)

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None: ...

    for number in range(10):
        work.send(number)
    worker = start_worker(broker)
    broker.join("default", timeout=60_000)
    assert len(left_in(broker)) == 10
    worker.stop()
    assert left_in(broker) == []


def test_behind_a_blocked_job_nothing_is_trimmed_and_nothing_undone_ever(
    cluster: Cluster, make_broker: Callable[..., KafkaBroker], start_worker: StartWorker
) -> None:
    broker = make_broker(cluster)
    release, ran = threading.Event(), []

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None:
        if number == 5:
            release.wait(60)
        ran.append(number)

    for number in range(10):
        work.send(number)
    start_worker(broker)
    try:
        wait_for(lambda: left_in(broker) == [5, 6, 7, 8, 9])
        wait_for(lambda: len(ran) == 9)
        assert left_in(broker) == [5, 6, 7, 8, 9]
    finally:
        release.set()
    wait_for(lambda: not left_in(broker))
    assert sorted(ran) == list(range(10))


def test_an_assignment_that_was_lost_trims_nothing_that_is_not_done(
    cluster: Cluster, make_broker: Callable[..., KafkaBroker]
) -> None:
    broker = make_broker(cluster)
    broker.declare_queue("default")
    for number in range(6):
        broker.enqueue(job(number))
    first = broker.consume("default", prefetch=6, timeout=10_000)
    taken = [next(first) for _ in range(6)]
    with connect_admin(cluster) as admin:  # as an operator who throws a member out
        group = broker.topics.group("default")
        (member,) = admin.describe_groups([group])[group]["members"]
        admin.remove_group_members(group, [MemberToRemove(member_id=member["member_id"])])
    for message in taken:
        assert message is not None
        first.ack(message)
    first.close()
    assert left_in(broker) == list(range(6))

    second = broker.consume("default", prefetch=6, timeout=10_000)
    again = [message for _ in range(6) if (message := next(second)) is not None]
    assert [message.args[0] for message in again] == list(range(6))
    second.close()


def test_a_group_whose_offsets_expired_starts_with_what_was_never_done(
    cluster: Cluster, make_broker: Callable[..., KafkaBroker], start_worker: StartWorker
) -> None:
    broker, ran = make_broker(cluster), []

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None:
        ran.append(number)

    for number in range(5):
        work.send(number)
    worker = start_worker(broker)
    broker.join("default", timeout=60_000)
    worker.stop()
    group = broker.topics.group("default")
    with connect_admin(cluster) as admin:
        assert admin.delete_groups([group])[group] == "OK"
    for number in range(5, 8):
        work.send(number)
    start_worker(broker)
    broker.join("default", timeout=60_000)
    assert sorted(ran) == list(range(8))


def test_what_is_done_is_kept_for_as_long_as_wanted(
    cluster: Cluster, make_broker: Callable[..., KafkaBroker], start_worker: StartWorker
) -> None:
    broker = make_broker(cluster, keep_done_ms=3_600_000)

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None: ...

    broker.prepare()
    topic = broker.topics.jobs("default")
    producer = connect_producer(cluster)
    two_hours_ago = producer.send(topic, job(0).encode(), timestamp_ms=1_700_000_000_000)
    two_hours_ago.get(10)
    producer.close()
    work.send(1)
    start_worker(broker)
    broker.join("default", timeout=60_000)
    wait_for(lambda: left_in(broker) == [1])


def test_without_the_right_to_delete_all_else_goes_on_and_one_warning_says_so(
    make_broker: Callable[..., KafkaBroker],
    login: Login,
    namespace: str,
    start_worker: StartWorker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    admin = login("admin")
    creator = make_broker(admin)
    creator.declare_queue("default")
    creator.prepare()
    operations = (ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE)
    grant(admin, ResourceType.TOPIC, f"{namespace}.", *operations, prefixed=True)
    grant(admin, ResourceType.GROUP, f"{namespace}.", ACLOperation.READ, prefixed=True)
    broker, ran = make_broker(login("alice")), []

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None:
        ran.append(number)

    caplog.set_level(logging.DEBUG, logger="workers.partitions.trimming")

    def refusals() -> list[int]:
        return [record.levelno for record in caplog.records if "not trimmed" in record.message]

    work.send(1)
    worker = start_worker(broker)
    wait_for(refusals)
    work.send(2)
    wait_for(lambda: len(refusals()) > 1)
    worker.stop()
    assert sorted(ran) == [1, 2]
    assert refusals().count(logging.WARNING) == 1
    assert left_in(make_broker(admin)) == [0, 1]
