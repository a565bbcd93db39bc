"""dramatiq's contract for any broker: the same suite over its own StubBroker and ours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker

from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker


@pytest.fixture(params=["stub", "kafka"])
def broker(request: pytest.FixtureRequest) -> Iterator[dramatiq.Broker]:
    if request.param == "stub":
        broker: dramatiq.Broker = StubBroker(fail_fast_default=False)
    else:
        cluster, namespace = request.getfixturevalue("cluster"), request.getfixturevalue("namespace")
        broker = KafkaBroker(cluster, namespace=namespace, partitions=2, commit_interval_ms=50)
    yield broker
    broker.close()


class Signals(dramatiq.Middleware):
    """Notes which hooks were called, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def before_declare_queue(self, broker: dramatiq.Broker, queue_name: str) -> None:
        self.seen.append(f"before declare {queue_name}")

    def after_declare_queue(self, broker: dramatiq.Broker, queue_name: str) -> None:
        self.seen.append(f"after declare {queue_name}")

    def before_enqueue(
        self, broker: dramatiq.Broker, message: dramatiq.Message[Any], delay: int | None
    ) -> None:
        self.seen.append(f"before enqueue {message.actor_name} {delay}")

    def after_enqueue(
        self, broker: dramatiq.Broker, message: dramatiq.Message[Any], delay: int | None
    ) -> None:
        self.seen.append(f"after enqueue {message.actor_name} {delay}")


def test_declaring_a_queue_twice_announces_it_once(broker: dramatiq.Broker) -> None:
    signals = Signals()
    broker.add_middleware(signals)
    broker.declare_queue("letters")
    broker.declare_queue("letters")
    assert signals.seen == ["before declare letters", "after declare letters"]
    assert "letters" in broker.get_declared_queues()


def test_enqueue_announces_and_returns_the_message(broker: dramatiq.Broker) -> None:
    @dramatiq.actor(broker=broker, max_retries=0)
    def greet(name: str) -> None: ...

    signals = Signals()
    broker.add_middleware(signals)
    sent = greet.send("you")
    assert sent.args == ("you",)
    assert signals.seen[-2:] == ["before enqueue greet None", "after enqueue greet None"]


def test_an_undeclared_queue_is_refused(broker: dramatiq.Broker) -> None:
    broker.declare_queue("letters")
    message = dramatiq.Message[None]("leters", "greet", (), {}, {})
    with pytest.raises(dramatiq.QueueNotFound, match="leters"):
        broker.enqueue(message)
    with pytest.raises(dramatiq.QueueNotFound, match="leters"):
        broker.consume("leters")


def test_a_consumer_that_gets_nothing_says_none_and_goes_on(broker: dramatiq.Broker) -> None:
    broker.declare_queue("letters")
    consumer = broker.consume("letters", timeout=50)
    assert next(consumer) is None
    assert next(consumer) is None
    consumer.close()


def test_a_received_message_equals_the_sent_one(broker: dramatiq.Broker) -> None:
    broker.declare_queue("letters")
    sent = dramatiq.Message[None]("letters", "greet", ("ü", 1.5, None), {"a": [1, {"b": "c"}]}, {"key": "k"})
    broker.enqueue(sent)
    consumer = broker.consume("letters", timeout=200)
    received = wait_for(lambda: next(consumer))
    assert received == sent
    consumer.ack(received)
    consumer.close()


def test_what_is_outstanding_never_exceeds_prefetch(broker: dramatiq.Broker) -> None:
    broker.declare_queue("letters")
    for number in range(5):
        broker.enqueue(dramatiq.Message[None]("letters", "greet", (number,), {}, {}))
    consumer = broker.consume("letters", prefetch=2, timeout=100)
    held = [wait_for(lambda: next(consumer)) for _ in range(2)]
    assert next(consumer) is None
    threading.Thread(target=consumer.ack, args=(held[0],)).start()
    third = wait_for(lambda: next(consumer))
    assert third not in held
    assert next(consumer) is None
    consumer.close()


def test_actors_run_and_join_waits_for_them(
    broker: dramatiq.Broker, start_worker: Callable[..., Worker]
) -> None:
    ran: set[int] = set()

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None:
        ran.add(number)

    start_worker(broker)
    for number in range(50):
        work.send(number)
    broker.join("default", timeout=60_000)
    assert ran == set(range(50))


def test_a_queue_that_is_declared_later_is_worked_on(
    broker: dramatiq.Broker, start_worker: Callable[..., Worker]
) -> None:
    ran = threading.Event()
    start_worker(broker)

    @dramatiq.actor(broker=broker, queue_name="late", max_retries=0)
    def work() -> None:
        ran.set()

    work.send()
    broker.join("late", timeout=60_000)
    assert ran.is_set()


def test_a_failing_job_does_not_stop_the_others(
    broker: dramatiq.Broker, start_worker: Callable[..., Worker]
) -> None:
    ran: set[int] = set()

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None:
        if number % 2:
            raise RuntimeError("odd")
        ran.add(number)

    start_worker(broker)
    for number in range(10):
        work.send(number)
    broker.join("default", timeout=60_000)
    assert ran == {0, 2, 4, 6, 8}


def test_join_gives_up_after_its_timeout(broker: dramatiq.Broker) -> None:
    broker.declare_queue("letters")
    broker.enqueue(dramatiq.Message[None]("letters", "greet", (), {}, {}))
    with pytest.raises(dramatiq.QueueJoinTimeout):
        broker.join("letters", timeout=100)


def test_join_counts_what_a_consumer_holds(broker: dramatiq.Broker) -> None:
    broker.declare_queue("letters")
    broker.enqueue(dramatiq.Message[None]("letters", "greet", (), {}, {}))
    consumer = broker.consume("letters", timeout=200)
    held = wait_for(lambda: next(consumer))
    with pytest.raises(dramatiq.QueueJoinTimeout):
        broker.join("letters", timeout=500)
    consumer.ack(held)
    next(consumer)
    consumer.close()
    broker.join("letters", timeout=60_000)


def test_flush_drops_what_waits(broker: dramatiq.Broker) -> None:
    for queue in ("letters", "parcels"):
        broker.declare_queue(queue)
        broker.enqueue(dramatiq.Message[None](queue, "greet", (), {}, {}))
    broker.flush("letters")
    broker.join("letters", timeout=60_000)
    with pytest.raises(dramatiq.QueueJoinTimeout):
        broker.join("parcels", timeout=100)
    broker.flush_all()
    broker.join("parcels", timeout=60_000)


def test_a_broker_is_hashable_and_open_again_after_close(broker: dramatiq.Broker) -> None:
    assert hash(broker) == hash(broker)
    broker.declare_queue("letters")
    broker.enqueue(dramatiq.Message[None]("letters", "greet", (1,), {}, {}))
    broker.close()
    broker.enqueue(dramatiq.Message[None]("letters", "greet", (2,), {}, {}))


def test_declaring_actors_does_no_io() -> None:
    nowhere = KafkaBroker(Cluster(("127.0.0.1:1",)))

    @dramatiq.actor(broker=nowhere)
    def greet() -> None: ...

    assert nowhere.get_declared_queues() == {"default"}
    assert nowhere.get_declared_delay_queues() == set()
    nowhere.close()
