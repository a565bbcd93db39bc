"""Jobs that run on while their consumer is closed, or loses its partitions, do not run again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import dramatiq
import pytest
from dramatiq import Worker
from kafka.admin import MemberToRemove

from tests.helpers.kafka_reading import committed_position, letters_of
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.consumer.queue_consumer import QueueConsumer
from workers.kafka import connect_admin
from workers.partitions.taken_message import TakenMessage

StartWorker = Callable[..., Worker]


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(
        cluster, namespace=namespace, partitions=1, commit_interval_ms=50, revoke_timeout_ms=200
    )
    broker.declare_queue("default")
    yield broker
    broker.close()


def job(number: int) -> dramatiq.Message[None]:
    return dramatiq.Message("default", "work", (number,), {}, {})


def next_of(consumer: QueueConsumer) -> dramatiq.MessageProxy:
    return wait_for(lambda: next(consumer))


def commits(consumer: QueueConsumer, position: int) -> None:
    """Let a consumer go on until it has committed ``position``, handing out nothing."""

    def committed() -> bool:
        assert next(consumer) is None
        return committed_position(broker_of[consumer], "default") == position

    wait_for(committed)


broker_of: dict[QueueConsumer, KafkaBroker] = {}


def consume(broker: KafkaBroker, prefetch: int = 4) -> QueueConsumer:
    consumer = broker.consume("default", prefetch=prefetch, timeout=50)
    broker_of[consumer] = broker
    return consumer


def put_out_of_its_group(consumer: QueueConsumer) -> None:
    """As when its session has run out: it learns of that by its next heartbeat."""
    member = MemberToRemove(member_id=consumer._assignment._client.group_metadata().member_id)
    broker = broker_of[consumer]
    with connect_admin(broker.cluster) as admin:
        admin.remove_group_members(broker.topics.group("default"), [member])


def test_a_worker_that_is_paused_and_resumed_repeats_nothing(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    ran: Counter[int] = Counter()
    begun, release = threading.Semaphore(0), threading.Event()

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None:
        begun.release()
        release.wait(30)
        ran[number] += 1

    worker = start_worker(broker)
    for number in range(12):
        work.send(number)
    for _ in range(4):
        assert begun.acquire(timeout=30)
    pausing = threading.Thread(target=worker.pause)
    pausing.start()
    wait_for(lambda: all(thread.paused for thread in worker.workers))
    consumer = worker.consumers["default"].consumer
    wait_for(worker.consumers["default"].paused_event.is_set)  # it has closed
    release.set()
    pausing.join(30)
    worker.resume()
    broker.join("default", timeout=60_000)
    assert worker.consumers["default"].consumer is not consumer
    assert ran == dict.fromkeys(range(12), 1)


@pytest.mark.parametrize("ack_comes", ["before", "after"])
def test_the_ack_of_a_closed_consumer_reaches_its_successor(broker: KafkaBroker, ack_comes: str) -> None:
    for number in range(2):
        broker.enqueue(job(number))
    first = consume(broker)
    running, waiting = next_of(first), next_of(first)
    assert running.start()
    first.close()
    assert not waiting.start()
    first.ack(waiting)
    if ack_comes == "before":
        first.ack(running)
    second = consume(broker)
    again = next_of(second)
    assert again.args == waiting.args
    second.ack(again)
    if ack_comes == "after":
        assert next(second) is None
        second.ack(running)
    commits(second, 2)
    second.close()


@pytest.mark.parametrize("ack_comes", ["before", "after"])
def test_a_session_that_runs_out_repeats_no_job_that_comes_back_to_its_process(
    broker: KafkaBroker, ack_comes: str
) -> None:
    for number in range(3):
        broker.enqueue(job(number))
    consumer = consume(broker, prefetch=2)
    running, waiting = next_of(consumer), next_of(consumer)
    assert running.start()
    next(consumer)
    put_out_of_its_group(consumer)
    wait_for(lambda: (next(consumer), running.owned.closed)[1])
    assert not waiting.start()
    consumer.ack(waiting)
    if ack_comes == "before":
        consumer.ack(running)
    again = [next_of(consumer)]
    if ack_comes == "after":
        # Its place in the prefetch is still taken.
        assert next(consumer) is None
        consumer.ack(running)
    again.append(next_of(consumer))
    assert [message.args for message in again] == [(1,), (2,)]
    for message in again:
        consumer.ack(message)
    commits(consumer, 3)
    (owned,) = consumer._assignment.partitions.values()
    assert owned.crashes is not None
    assert not owned.crashes.to_commit(held=True).deaths, "nobody has died"
    assert consumer._in_hand_count == 0
    consumer.close()
    assert letters_of(broker) == []


@pytest.mark.parametrize("release_comes", ["before", "after"])
@pytest.mark.parametrize("loses_by", ["close", "session"])
def test_a_held_job_that_is_released_with_an_error_is_given_up_wherever_its_partition_is(
    broker: KafkaBroker, loses_by: str, release_comes: str
) -> None:
    broker.enqueue(job(0))
    consumer = consume(broker)
    held = next_of(consumer)
    assert isinstance(held, TakenMessage)
    assert held.start()
    held.hold()
    consumer.ack(held)  # its actor has returned
    if loses_by == "close":
        consumer.close()
        if release_comes == "before":
            held.release(ValueError("it does not work"))
        consumer = consume(broker)
    else:
        next(consumer)
        put_out_of_its_group(consumer)
        wait_for(lambda: (next(consumer), held.owned.closed)[1])
        if release_comes == "before":
            held.release(ValueError("it does not work"))
            consumer._read_inbox()
            wait_for(lambda: letters_of(broker))
    if release_comes == "after":
        wait_for(lambda: (next(consumer), not held.owned.closed)[1])
        held.release(ValueError("it does not work"))
    broker.enqueue(job(1))
    again = next_of(consumer)
    assert again.args == (1,)
    consumer.ack(again)
    commits(consumer, 2)
    assert {letter.exception_message for letter in letters_of(broker)} == {"it does not work"}
    assert consumer._in_hand_count == consumer._run_alone._in_hand == 0
    consumer.close()


def test_a_suspect_that_loses_its_partition_while_it_runs_lets_others_start_again(
    broker: KafkaBroker,
) -> None:
    broker.enqueue(job(0))
    consumer = consume(broker)
    suspect = next_of(consumer)
    consumer._run_alone.leave()
    assert consumer._run_alone.enter_alone()
    consumer._suspects.have_come = True
    consumer._suspects._running = suspect.owned.partition, 0
    assert suspect.start()
    put_out_of_its_group(consumer)
    wait_for(lambda: (next(consumer), suspect.owned.closed)[1])
    deadline = time.monotonic() + 10
    while not consumer._assignment.partitions and time.monotonic() < deadline:
        next(consumer)
    consumer.ack(suspect)
    commits(consumer, 1)
    broker.enqueue(job(1))
    consumer.ack(next_of(consumer))
    consumer.close()
