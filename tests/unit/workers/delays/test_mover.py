"""What a mover asks Kafka for, by a consumer and a clock of the test's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from kafka.future import Future

from tests.helpers.records import Consumed
from workers.delays.mover import Mover
from workers.delays.tiers import TIERS
from workers.kafka import Cluster, TopicPartition
from workers.records.envelope import Record
from workers.topics import Topics

NOON_MS = 1_800_000_000_000
TOPIC = "todo.delay.1m"
PARTITION = TopicPartition(TOPIC, 0)
HOUR_MS = 3_600_000


class Consumer:
    """A member that has one partition, and fetches what is behind its position unless that is paused."""

    def __init__(self, log: list[Consumed]) -> None:
        self.log, self.position, self.fetches, self.polls = log, 0, 0, 0
        self.is_paused = False
        self._subscription = SimpleNamespace(assignment={})
        self._coordinator = SimpleNamespace(need_rejoin=lambda: False)

    def subscribe(self, *_: Any, **__: Any) -> None: ...
    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0}

    def committed(self, *_: Any, **__: Any) -> None:
        return None

    def commit_async(self, *_: Any, **__: Any) -> None: ...
    def pause(self, *partitions: TopicPartition) -> None:
        self.is_paused |= PARTITION in partitions

    def resume(self, *partitions: TopicPartition) -> None:
        self.is_paused &= PARTITION not in partitions

    def seek(self, _partition: TopicPartition, offset: int) -> None:
        self.position = offset

    def poll(self, **_: Any) -> dict[TopicPartition, list[Consumed]]:
        self.polls += 1
        found = [] if self.is_paused else self.log[self.position :]
        self.position += len(found)
        self.fetches += bool(found)
        return {PARTITION: found} if found else {}


class Producer:
    """Confirms each record at once; the cluster's clock is so far behind that of the mover."""

    cluster = Cluster()

    def __init__(self, clock: Clock, behind_ms: int = 0) -> None:
        self.sent: list[str] = []
        self._clock = clock
        self._behind_ms = behind_ms

    def prepare(self, topic: str) -> None: ...
    def send(self, topic: str, _record: Record) -> Future:
        self.sent.append(topic)
        return Future().success(SimpleNamespace(timestamp=self._clock.now_ms - self._behind_ms))


class Clock:
    now_ms = NOON_MS


def waiting(offset: int, written_ms: int, due_in_ms: int = 9 * HOUR_MS) -> Consumed:
    """A job in the tier of a minute, by default due in hours."""
    headers = [("message-id", b"m"), ("queue", b"default"), ("eta", str(NOON_MS + due_in_ms).encode())]
    return Consumed(TOPIC, offset=offset, timestamp=written_ms, headers=headers)


def mover_of(consumer: Consumer, producer: Producer, clock: Clock) -> Mover:
    return Mover(
        consumer,
        producer,  # type: ignore[arg-type]
        SimpleNamespace(),  # type: ignore[arg-type]
        SimpleNamespace(is_due=lambda _: False),  # type: ignore[arg-type]
        SimpleNamespace(owner="me"),  # type: ignore[arg-type]
        client_id="mover",
        topics=Topics("todo"),
        tiers=TIERS,
        create_queue=lambda _: None,
        commit_interval_ms=300,
        revoke_timeout_ms=300,
        clock=lambda: clock.now_ms / 1000,
        now_ms=lambda: clock.now_ms,
    )


def test_behind_a_record_that_has_left_a_tier_the_next_is_fetched_when_it_leaves() -> None:
    """A partition whose head was moved went on at once, fetched what waits there, and dropped it again."""
    clock = Clock()
    consumer = Consumer([waiting(0, NOON_MS - 59_000), waiting(1, NOON_MS - 29_000)])
    producer = Producer(clock)
    mover = mover_of(consumer, producer, clock)
    mover.step(0)
    assert (producer.sent, consumer.fetches) == ([], 1)
    clock.now_ms += 2_000
    mover.step(0)
    assert (len(producer.sent), consumer.is_paused, consumer.fetches) == (1, True, 1)
    clock.now_ms += 28_000
    mover.step(0)
    clock.now_ms += 1_000
    mover.step(0)
    assert (len(producer.sent), consumer.fetches) == (2, 2)


def test_a_job_does_not_go_round_in_a_tier_where_it_does_not_wait() -> None:
    """The mover's clock is five minutes ahead of the cluster's: a wait of one minute is over at once."""
    clock, behind_ms = Clock(), 300_000
    producer = Producer(clock, behind_ms)
    consumer = Consumer([waiting(0, NOON_MS - behind_ms, due_in_ms=200_000)])
    mover = mover_of(consumer, producer, clock)
    for hop in range(1, 10):
        clock.now_ms += 1_000
        mover.step(0)
        if producer.sent[hop - 1 :] == [TOPIC]:  # it has come there again
            consumer.log.append(waiting(hop, clock.now_ms - behind_ms, due_in_ms=200_000))
    assert producer.sent == [TOPIC]
    assert mover._ahead.next_at_ms() == NOON_MS + 200_000
