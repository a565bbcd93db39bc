"""Members of a queue's group that join and leave, block, or are far behind."""

from __future__ import annotations

import logging
import random
import statistics
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.kafka_reading import committed_position
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.kafka import connect_admin
from workers.partitions import commit_metadata

StartWorker = Callable[..., Worker]


def job(number: int) -> dramatiq.Message[None]:
    return dramatiq.Message("default", "work", (number,), {}, {"key": "one partition"}, str(number))


@pytest.mark.long
def test_a_member_that_joins_stops_delivery_only_shortly(
    cluster: Cluster, namespace: str, start_worker: StartWorker
) -> None:
    """0.6 s on a quiet machine; with kafka-python's heartbeat interval of 3 s it is up to 3.1 s."""
    ran: list[float] = []
    worked: set[int] = set()
    brokers: list[KafkaBroker] = []

    def join() -> float:
        """Add a member, wait until it works, and give the longest time meanwhile without a job."""
        member = len(brokers)
        broker = KafkaBroker(cluster, namespace=namespace, partitions=8)
        brokers.append(broker)

        @dramatiq.actor(broker=broker, actor_name="work", max_retries=0)
        def work(number: int) -> None:
            ran.append(time.monotonic())
            worked.add(member)

        started = time.monotonic()
        start_worker(broker)
        wait_for(lambda: member in worked, timeout_s=60)
        return max(end - start for start, end in pairwise([started, *(at for at in ran if at > started)]))

    sender = KafkaBroker(cluster, namespace=namespace, partitions=8)
    sender.declare_queue("default")
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(0.005):
            sender.enqueue(dramatiq.Message("default", "work", (1,), {}, {}))

    sending = threading.Thread(target=send)
    sending.start()
    try:
        join()
        gaps = [join() for _ in range(3)]
    finally:
        stop.set()
        sending.join()
    sender.close()
    for broker in brokers:
        broker.close()
    assert statistics.median(gaps) < 2, gaps


def test_a_member_whose_threads_are_all_busy_lets_another_join(
    cluster: Cluster, namespace: str, start_worker: StartWorker
) -> None:
    """It polls all the while, and with no time to wait: that must be enough for the group to settle."""
    release, ran = threading.Event(), set()

    def member(work: Callable[[int], None]) -> KafkaBroker:
        broker = KafkaBroker(
            cluster, namespace=namespace, partitions=4, commit_interval_ms=50, revoke_timeout_ms=300
        )
        dramatiq.actor(broker=broker, actor_name="work", max_retries=0)(work)
        start_worker(broker)
        return broker

    busy = threading.Event()

    def block(number: int) -> None:
        busy.set()
        release.wait(60)
        ran.add(number)

    first = member(block)
    with first.batch():
        for number in range(100):
            first.enqueue(dramatiq.Message("default", "work", (number,), {}, {}))
    try:
        assert busy.wait(30)
        second = member(ran.add)
        wait_for(lambda: len(ran) > 20)
    finally:
        release.set()
    first.join("default", timeout=60_000)
    assert ran == set(range(100))
    first.close()
    second.close()


@pytest.mark.long
def test_commit_metadata_never_grows_beyond_what_kafka_takes(cluster: Cluster, namespace: str) -> None:
    """Half of very many jobs block, at random: the worst case for the length of a commit's metadata."""
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1, commit_interval_ms=50)
    broker.declare_queue("default")
    count = 24_000
    with broker.batch():
        for number in range(count):
            broker.enqueue(job(number))
    chance = random.Random(7)
    first = broker.consume("default", prefetch=count, timeout=300)
    done: set[int] = set()
    held: list[dramatiq.MessageProxy] = []
    while len(done) + len(held) < count:
        delivery = next(first)
        if delivery is None and any(owned.full for owned in first._assignment.partitions.values()):
            break
        if delivery is None:
            continue
        if delivery.args[0] and chance.random() < 0.5:
            first.ack(delivery)
            done.add(delivery.args[0])
        else:
            held.append(delivery)
    assert held[0].args == (0,)
    assert len(done) + len(held) < count, "a partition whose commit is full must wait for its oldest jobs"

    group = broker.topics.group("default")
    with connect_admin(cluster) as admin:
        (committed,) = admin.list_group_offsets(group)[group].values()
    assert committed.offset == 0
    assert commit_metadata.FULL_CHARS < len(committed.metadata) <= commit_metadata.MAX_CHARS

    for late in held[: len(held) // 2]:
        first.ack(late)
        done.add(late.args[0])
    wait_for(lambda: next(first))  # with its oldest jobs done, it goes on
    first.close()
    second = broker.consume("default", prefetch=count, timeout=2_000)
    again: set[int] = set()
    while len(again) < 500:
        found = next(second)
        again.update(found.args if found else ())
    assert not again & done
    second.close()
    broker.close()


def test_a_job_that_blocks_its_partition_is_named_in_the_log(
    broker: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="workers.consumer")
    broker.declare_queue("default")
    oldest = broker.enqueue(job(0))
    broker.enqueue(job(1))
    consuming = broker.consume("default", prefetch=2, timeout=100, blocked_after_s=0.3)
    held, other = [wait_for(lambda: next(consuming)) for _ in range(2)]
    consuming.ack(other)
    wait_for(lambda: (next(consuming), "partition blocked by a job" in caplog.text)[1])
    assert f"offset=0 id={oldest.message_id} actor=work age_s=" in caplog.text
    consuming.ack(held)
    wait_for(lambda: (next(consuming), committed_position(broker, "default"))[1] == 2)
    caplog.clear()
    for _ in range(5):
        next(consuming)
    assert "blocked" not in caplog.text
    consuming.close()


def test_a_consumer_that_is_full_again_and_again_does_not_flap(broker: KafkaBroker) -> None:
    """Each pause may cost what kafka-python has fetched: there is one in a tenth of a second at most."""
    broker.declare_queue("default")
    with broker.batch():
        for number in range(1_000):
            broker.enqueue(job(number))
    consuming = broker.consume("default", prefetch=2, timeout=5_000)
    pauses = 0
    pause = consuming._assignment._client.pause

    def counted(*partitions: object) -> None:
        nonlocal pauses
        pauses += bool(partitions)
        pause(*partitions)

    consuming._assignment._client.pause = counted
    held = wait_for(lambda: next(consuming))
    started = time.monotonic()
    for _ in range(999):
        following = wait_for(lambda: next(consuming))
        consuming.ack(held)
        held = following
    elapsed_s = time.monotonic() - started
    consuming.ack(held)
    consuming.close()
    assert pauses <= elapsed_s / 0.1 + 2
