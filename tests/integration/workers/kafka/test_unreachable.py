"""Kafka that is not there, or does not let us: a clear error, soon, that is also dramatiq's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import dramatiq
import kafka.errors
import pytest
from dramatiq import Worker
from kafka.admin import ACLOperation, KafkaAdminClient, ResourceType
from kafka.net.compat import KafkaNetClient

from tests.conftest import Login
from tests.helpers.acls import grant
from workers import Cluster, KafkaBroker
from workers.errors import (
    AuthenticationFailed,
    KafkaUnreachable,
    NotAuthorized,
    TopicsMissing,
    WorkerCannotStart,
)
from workers.kafka import create_missing_topics
from workers.kafka.patches.consumer import QuietConsumer
from workers.topics import Topics

MESSAGE = dramatiq.Message[None]("default", "work", (), {}, {})

Brokers = Callable[[Cluster], KafkaBroker]


@pytest.fixture
def broker_on(namespace: str) -> Iterator[Brokers]:
    made: list[KafkaBroker] = []

    def make(cluster: Cluster) -> KafkaBroker:
        broker = KafkaBroker(cluster, namespace=namespace, partitions=2, commit_interval_ms=50)
        broker.declare_queue("default")
        made.append(broker)
        return broker

    yield make
    for broker in made:
        broker.close()


def test_no_kafka_is_an_error_that_names_the_address(broker_on: Brokers) -> None:
    broker = broker_on(Cluster(("127.0.0.1:1", "127.0.0.1:2")))
    started = time.monotonic()
    with pytest.raises(
        KafkaUnreachable, match=r"127.0.0.1:1,127.0.0.1:2 .*KAFKA_BOOTSTRAP_SERVERS"
    ) as raised:
        broker.enqueue(MESSAGE)
    assert time.monotonic() - started < 10  # by the default time-outs
    assert isinstance(raised.value, dramatiq.BrokerConnectionError)


def test_a_worker_does_not_start_without_kafka(broker_on: Brokers) -> None:
    worker = Worker(broker_on(Cluster(("127.0.0.1:1",), connect_timeout_s=1)))
    with pytest.raises(WorkerCannotStart, match=r"127\.0\.0\.1:1"):
        worker.start()
    worker.stop()


def test_a_name_that_does_not_resolve_is_named(broker_on: Brokers) -> None:
    broker = broker_on(Cluster(("kafka.invalid:9092",), connect_timeout_s=1))
    with pytest.raises(KafkaUnreachable, match=r"kafka.invalid:9092.*DNS"):
        broker.enqueue(MESSAGE)


@pytest.mark.parametrize("make", [lambda broker: broker.consume("default"), KafkaBroker.make_mover])
def test_a_member_that_cannot_be_made_leaves_nothing_behind(
    broker_on: Brokers,
    cluster: Cluster,
    make: Callable[[KafkaBroker], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kafka may go away between the connection and the first question; each attempt kept a thread."""
    broker = broker_on(cluster)
    broker.prepare()
    made: list[Any] = []

    def cut(client: Any, _topic: str) -> None:
        made.append(client)
        raise kafka.errors.KafkaConnectionError("socket disconnected")

    monkeypatch.setattr(QuietConsumer, "partitions_for_topic", cut)
    with pytest.raises(KafkaUnreachable, match=r"cannot join the group of .*socket disconnected") as raised:
        make(broker)
    assert isinstance(raised.value, dramatiq.BrokerConnectionError)
    assert [client._closed for client in made] == [True]
    assert not broker.memberships._members
    assert not broker._consumers._heartbeats._consumers


def test_a_listener_that_wants_a_login_is_recognized(broker_on: Brokers, login: Login) -> None:
    anonymous = Cluster(login("alice").bootstrap_servers, connect_timeout_s=1)
    with pytest.raises(KafkaUnreachable, match="KAFKA_SECURITY_PROTOCOL"):
        broker_on(anonymous).enqueue(MESSAGE)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
def test_a_wrong_password_says_so_and_names_the_user(
    broker_on: Brokers, login: Login, mechanism: str
) -> None:
    broker = broker_on(login("alice", "wrong", mechanism))
    started = time.monotonic()
    with pytest.raises(
        AuthenticationFailed, match=r"refused the login of user 'alice'.*KAFKA_SASL_PASSWORD"
    ) as raised:
        broker.enqueue(MESSAGE)
    assert time.monotonic() - started < 30
    assert "wrong" not in str(raised.value).replace("wrong user or password", "")
    assert isinstance(raised.value, dramatiq.BrokerConnectionError)


@pytest.mark.xfail(raises=kafka.errors.KafkaTimeoutError, reason="kafka-python tries on, and forgets why")
def test_a_wrong_password_is_told_by_kafka_python_itself(login: Login) -> None:
    options = login("alice", "wrong", "PLAIN").client_options() | {"bootstrap_timeout_ms": 2_000}
    with ExitStack() as stack:

        def client(**configs: Any) -> KafkaNetClient:
            return stack.enter_context(closing(KafkaNetClient(**configs)))

        with pytest.raises(kafka.errors.SaslAuthenticationFailedError):
            KafkaAdminClient(**options, kafka_client=client)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
def test_jobs_run_over_sasl(broker_on: Brokers, login: Login, mechanism: str) -> None:
    broker = broker_on(login("admin", mechanism=mechanism))
    ran: list[int] = []

    @dramatiq.actor(broker=broker, actor_name="work", max_retries=0)
    def work(number: int) -> None:
        ran.append(number)

    work.send(1)
    worker = Worker(broker, worker_timeout=100, worker_threads=1)
    worker.start()
    broker.join("default", timeout=60_000)
    worker.stop()
    assert ran == [1]


def test_a_user_who_may_not_create_topics_is_told_which_are_missing(broker_on: Brokers, login: Login) -> None:
    broker = broker_on(login("alice"))
    with pytest.raises(TopicsMissing, match="user 'alice' cannot create them") as raised:
        broker.enqueue(MESSAGE)
    assert broker.topics.jobs("default") in str(raised.value)
    assert broker.topics.dead_letters in str(raised.value)


def test_a_missing_right_says_which_and_names_the_user(
    broker_on: Brokers, login: Login, namespace: str
) -> None:
    admin, topics = login("admin"), Topics(namespace)
    broker = broker_on(login("alice"))
    create_missing_topics(admin, broker.topic_specs())
    for spec in broker.topic_specs():
        grant(admin, ResourceType.TOPIC, spec.name, ACLOperation.DESCRIBE)
    with pytest.raises(NotAuthorized, match=f"not let user 'alice' write to topic {topics.jobs('default')}"):
        broker.enqueue(MESSAGE)

    grant(admin, ResourceType.TOPIC, topics.jobs("default"), ACLOperation.WRITE)
    broker.enqueue(MESSAGE)

    consumer = broker.consume("default", timeout=2_000)
    with pytest.raises(NotAuthorized, match="not let user 'alice' consume queue default"):
        next(consumer)
    consumer.close()


def test_a_running_broker_whose_kafka_is_gone_does_not_hang(broker_on: Brokers, cluster: Cluster) -> None:
    impatient = Cluster(cluster.bootstrap_servers)
    broker = broker_on(impatient)
    broker.enqueue(MESSAGE)
    assert broker.producer._producer is not None
    # Every later connection of this producer goes to a port where nobody listens.
    broker.producer.close()
    object.__setattr__(impatient, "bootstrap_servers", ("127.0.0.1:1",))
    object.__setattr__(impatient, "connect_timeout_s", 1)
    object.__setattr__(impatient, "send_timeout_s", 2)
    started = time.monotonic()
    with pytest.raises(KafkaUnreachable):
        broker.enqueue(MESSAGE)
    assert time.monotonic() - started < 30
