"""A dead letter that cannot be written: its job stays, and is given up once it can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import dramatiq
import pytest
from dramatiq import Worker
from kafka.admin import ACLOperation, ResourceType

from tests.conftest import Login
from tests.helpers.acls import grant
from tests.helpers.kafka_reading import committed_position, letters_of
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.dead_letters.letter import Reason
from workers.kafka import connect_admin, create_missing_topics
from workers.records.envelope import Record
from workers.topics import Topics

StartWorker = Callable[[KafkaBroker], Worker]


class Failing:
    """An actor that fails for good, and what was called."""

    def __init__(self, broker: KafkaBroker) -> None:
        self.calls: list[int | str] = []

        @dramatiq.actor(broker=broker, max_retries=0, actor_name="fail")
        def fail(number: int | str) -> None:
            self.calls.append(number)
            raise ValueError(f"no {number}")

        self.actor = fail


@pytest.fixture
def alice(login: Login, namespace: str) -> Iterator[KafkaBroker]:
    """A broker of a user who may do all but write dead letters."""
    broker = KafkaBroker(login("alice"), namespace=namespace, partitions=1, commit_interval_ms=50)
    broker.declare_queue("default")
    admin, topics = login("admin"), Topics(namespace)
    create_missing_topics(admin, broker.topic_specs())
    for spec in broker.topic_specs():
        operations = [ACLOperation.DESCRIBE, ACLOperation.READ]
        if spec.name != topics.dead_letters:
            operations.append(ACLOperation.WRITE)
        grant(admin, ResourceType.TOPIC, spec.name, *operations)
    for group in (topics.group("default"), topics.movers):
        grant(admin, ResourceType.GROUP, group, ACLOperation.READ)
    yield broker
    broker.close()


def test_without_the_right_to_write_them_jobs_stay_until_it_is_granted(
    alice: KafkaBroker, login: Login, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    failing = Failing(alice)
    failing.actor.send(1)
    alice.producer.deliver(alice.topics.jobs("default"), Record(b"k", b"poison", []))
    start_worker(alice)

    def tried() -> set[str]:
        return {
            record.name
            for record in caplog.records
            if f"write to topic {alice.topics.dead_letters}" in record.getMessage()
            or "dead letter not written" in record.getMessage()
        }

    wait_for(lambda: failing.calls and len(tried()) == 2)  # of the job, and of the poison
    assert committed_position(alice, "default") == 0
    assert letters_of(alice) == []
    grant(login("admin"), ResourceType.TOPIC, alice.topics.dead_letters, ACLOperation.WRITE)
    wait_for(lambda: committed_position(alice, "default") == 2, timeout_s=60)
    assert {letter.reason for letter in letters_of(alice)} == {Reason.FAILED, Reason.UNDECODABLE}
    assert failing.calls == [1]  # only the writing was tried again


def test_where_the_topic_was_deleted_jobs_stay_until_it_is_there_again(
    cluster: Cluster, namespace: str, start_worker: StartWorker
) -> None:
    impatient = Cluster(cluster.bootstrap_servers)
    broker = KafkaBroker(impatient, namespace=namespace, partitions=1, commit_interval_ms=50)
    failing = Failing(broker)
    broker.prepare()
    with connect_admin(cluster) as admin:
        admin.delete_topics([broker.topics.dead_letters])
    for number in range(3):
        failing.actor.send(number)
    broker.producer.close()
    object.__setattr__(impatient, "send_timeout_s", 2)  # for the dead letters only
    start_worker(broker)
    wait_for(lambda: len(failing.calls) == 3)
    assert committed_position(broker, "default") == 0
    create_missing_topics(cluster, broker.topic_specs())
    wait_for(lambda: committed_position(broker, "default") == 3, timeout_s=60)
    assert sorted(letter.exception_message or "" for letter in letters_of(broker)) == ["no 0", "no 1", "no 2"]
    broker.close()


def test_where_the_topic_takes_no_letter_so_long_its_beginning_is_kept(
    cluster: Cluster, namespace: str, start_worker: StartWorker
) -> None:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1, commit_interval_ms=50)
    failing = Failing(broker)
    narrow = [
        replace(spec, config={**spec.config, "max.message.bytes": "100000"})
        for spec in broker.topic_specs()
        if spec.name == broker.topics.dead_letters
    ]
    create_missing_topics(cluster, narrow)
    broker.prepare()
    failing.actor.send("x" * 200_000)
    broker.producer.deliver(broker.topics.jobs("default"), Record(b"k", b"p" * 300_000, []))
    failing.actor.send(2)
    start_worker(broker)
    wait_for(lambda: len(failing.calls) == 2)
    wait_for(lambda: committed_position(broker, "default") == 3)
    found = {letter.origin.offset: letter for letter in letters_of(broker)}
    assert [found[offset].reason for offset in range(3)] == [Reason.FAILED, Reason.UNDECODABLE, Reason.FAILED]
    sizes = [dict(found[offset].job_headers).get("too-long") for offset in range(3)]
    assert [int(size or 0) // 100_000 for size in sizes] == [2, 3, 0]
    assert found[1].value == b"p" * 16 * 1024
    broker.close()
