"""Consumers that get no records cost little, and are as quick as ever once something happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.protocol.consumer import FetchRequest

from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.kafka import Heartbeats, KafkaConsumer, TopicPartition, connect_consumer
from workers.kafka.patches.coordinator import PacedCoordinator
from workers.kafka.patches.fetching import waiting as waiting_fetcher
from workers.records.envelope import Record

PARTITIONS = 4
#: Nothing may wait for the end of a request for records, which takes 20 s.
AT_ONCE_S = 10.0

Connect = Callable[[Cluster, str], KafkaConsumer]


def theirs(cluster: Cluster, group: str) -> KafkaConsumer:
    """A consumer of kafka-python's, with nothing mended."""
    options = {"auto_offset_reset": "earliest", "enable_auto_commit": False}
    return KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers, group_id=group, **options)


ours: Connect = connect_consumer
upstream = pytest.mark.xfail(
    reason="kafka-python works as much as if there were records", raises=AssertionError
)
KINDS = [ours, pytest.param(theirs, marks=upstream)]


@pytest.fixture(autouse=True)
def idle_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_fetcher, "_IDLE_AFTER_S", 0.2)


@pytest.fixture
def topic(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A topic with a record in each partition."""
    broker = KafkaBroker(cluster, namespace=namespace, partitions=PARTITIONS)
    broker.declare_queue("default")
    broker.prepare()
    topic = broker.topics.jobs("default")
    for partition in range(PARTITIONS):
        broker.producer.send(topic, Record(b"key", b"value", []), partition=partition).get(10)
    yield topic
    broker.close()


class Member:
    """A member of the topic's group, and what it has read."""

    def __init__(self, connect: Connect, cluster: Cluster, topic: str) -> None:
        self.topic = topic
        self.read: list[TopicPartition] = []
        self.client = connect(cluster, f"{topic}-group")
        self.client.subscribe([topic])
        self.client.partitions_for_topic(topic)  # known before the group assigns them

    def poll(self, seconds: float = 0.05) -> bool:
        """Poll once; True if there were records."""
        found = self.client.poll(timeout_ms=int(seconds * 1000))
        self.read += found
        return bool(found)

    def is_waiting_long(self) -> bool:
        self.poll()
        return bool(self.client._fetcher._waiting_long)


@pytest.fixture
def join(cluster: Cluster, topic: str) -> Iterator[Callable[..., Member]]:
    """Make a member."""
    with ExitStack() as members:

        def member(connect: Connect = ours) -> Member:
            made = Member(connect, cluster, topic)
            members.callback(made.client.close, autocommit=False, timeout_ms=3_000)
            return made

        yield member


@contextmanager
def polling(member: Member) -> Iterator[None]:
    """Poll on a thread, a second at a time as dramatiq does."""
    stop = threading.Event()

    def poll() -> None:
        while not stop.is_set():
            member.poll(1.0)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def read_all(member: Member) -> bool:
    member.poll()
    return len(member.read) == PARTITIONS


@pytest.mark.parametrize("connect", KINDS)
def test_a_poll_in_which_nothing_comes_takes_no_step_on_the_thread_of_the_client(
    join: Callable[..., Member], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = join(connect)
    wait_for(lambda: read_all(member))
    if connect is ours:
        wait_for(member.is_waiting_long)
    steps: list[Any] = []
    run = NetworkSelector.run

    def counted(net: Any, *args: Any) -> Any:
        steps.append(args)
        return run(net, *args)

    monkeypatch.setattr(NetworkSelector, "run", counted)
    for _ in range(10):
        member.poll(0.05)
    # New metadata, which comes each five seconds, is a reason for a whole poll.
    assert len(steps) <= 3


@pytest.mark.parametrize("connect", KINDS)
def test_while_none_come_records_are_asked_for_rarely(
    join: Callable[..., Member], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = join(connect)
    wait_for(lambda: read_all(member))
    asked: list[FetchRequest] = []
    send = KafkaConnectionManager.send

    def counted(manager: Any, request: Any, *args: Any, **options: Any) -> Any:
        asked.extend([request] if isinstance(request, FetchRequest) else [])
        return send(manager, request, *args, **options)

    monkeypatch.setattr(KafkaConnectionManager, "send", counted)
    until = time.monotonic() + 6
    while time.monotonic() < until:
        member.poll(0.5)
    assert len(asked) <= 6


def test_a_record_that_comes_is_there_at_once(
    cluster: Cluster, join: Callable[..., Member], broker: KafkaBroker
) -> None:
    member = join()
    wait_for(lambda: read_all(member))
    wait_for(member.is_waiting_long)
    broker.producer.send(member.topic, Record(b"key", b"value", []), partition=2).get(10)
    wait_for(member.poll, timeout_s=AT_ONCE_S)
    assert member.read[PARTITIONS:] == [TopicPartition(member.topic, 2)]


def test_a_position_that_is_set_is_read_from_at_once(join: Callable[..., Member]) -> None:
    member = join()
    wait_for(lambda: read_all(member))
    wait_for(member.is_waiting_long)
    member.client.seek(TopicPartition(member.topic, 1), 0)
    wait_for(member.poll, timeout_s=AT_ONCE_S)
    assert member.read[PARTITIONS:] == [TopicPartition(member.topic, 1)]


def test_a_partition_that_is_resumed_is_read_at_once(
    join: Callable[..., Member], broker: KafkaBroker
) -> None:
    member = join()
    wait_for(lambda: read_all(member))
    wait_for(member.is_waiting_long)
    paused = TopicPartition(member.topic, 3)
    member.client.pause(paused)
    broker.producer.send(member.topic, Record(b"key", b"value", []), partition=3).get(10)
    wait_for(lambda: not member.is_waiting_long())  # the record has come, and is laid aside
    member.client.resume(paused)
    wait_for(member.poll, timeout_s=AT_ONCE_S)
    assert member.read[PARTITIONS:] == [paused]


def test_partitions_that_change_hands_are_read_at_once(join: Callable[..., Member]) -> None:
    first = join()
    wait_for(lambda: read_all(first))
    wait_for(first.is_waiting_long)
    with polling(first):
        second = join()
        wait_for(second.poll, timeout_s=AT_ONCE_S)  # nothing is committed, so it reads from the start
        wait_for(lambda: second.poll() or len(second.read) == PARTITIONS // 2)
        wait_for(second.is_waiting_long)
        second.client.close(autocommit=False)
        wait_for(lambda: len(first.read) == PARTITIONS + PARTITIONS // 2, timeout_s=AT_ONCE_S)


def test_metadata_does_not_wait_for_records(join: Callable[..., Member]) -> None:
    member = join()
    wait_for(lambda: read_all(member))
    wait_for(member.is_waiting_long)
    started = time.monotonic()
    member.client._manager.run(member.client._cluster.refresh_metadata)
    assert time.monotonic() - started < AT_ONCE_S


def test_the_callback_of_a_commit_is_called_in_a_quiet_poll(join: Callable[..., Member]) -> None:
    member = join()
    wait_for(lambda: read_all(member))
    wait_for(member.is_waiting_long)
    done: list[Any] = []
    member.client.commit_async({}, callback=lambda *args: done.append(args))
    wait_for(lambda: member.poll(1.0) or bool(done), timeout_s=AT_ONCE_S)


@pytest.fixture
def own_heartbeats(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The groups of the heartbeats that members send themselves."""
    sent: list[str] = []
    send = PacedCoordinator._send_heartbeat_request

    async def counted(coordinator: Any) -> Any:
        sent.append(coordinator.group_id)
        return await send(coordinator)

    monkeypatch.setattr(PacedCoordinator, "_send_heartbeat_request", counted)
    return sent


def wait_for_heartbeat(member: Member) -> None:
    """Poll until another heartbeat of the member has succeeded."""
    before = member.client._coordinator.heartbeat.last_receive
    wait_for(lambda: not member.poll() and member.client._coordinator.heartbeat.last_receive > before)


def test_heartbeats_are_sent_for_all_members_and_each_has_its_own_in_reserve(
    cluster: Cluster, join: Callable[..., Member], own_heartbeats: list[str]
) -> None:
    together = Heartbeats(cluster)
    members = [join(), join(lambda cluster, group: connect_consumer(cluster, f"{group}-2"))]
    for member in members:
        together.add(member.client)
        wait_for_heartbeat(member)
    own_heartbeats.clear()
    for _ in range(3):
        for member in members:
            wait_for_heartbeat(member)
    assert own_heartbeats == []
    for member in members:
        member.client._coordinator.heartbeat.config["heartbeat_interval_ms"] = 1_500
    together._client.close()  # as if its thread had ended
    wait_for(lambda: len(set(own_heartbeats)) == len(members))
    for member in members:
        wait_for_heartbeat(member)


def test_a_member_learns_of_a_rebalance_by_the_heartbeats_that_are_sent_for_it(
    cluster: Cluster, join: Callable[..., Member], own_heartbeats: list[str]
) -> None:
    together = Heartbeats(cluster)
    first = join()
    together.add(first.client)
    wait_for(lambda: read_all(first))
    wait_for(first.is_waiting_long)
    with polling(first):
        second = join()
        together.add(second.client)
        wait_for(second.poll, timeout_s=AT_ONCE_S)
    assert own_heartbeats == []


def test_nothing_is_left_once_all_consumers_are_closed(cluster: Cluster, topic: str) -> None:
    together = Heartbeats(cluster)
    consumers = [connect_consumer(cluster, f"{topic}-{number}") for number in range(2)]
    for consumer in consumers:
        together.add(consumer)
    consumers[0].close()
    assert together._client is not None
    consumers[1].close()
    assert together._client is None
    assert together._beats == {}
