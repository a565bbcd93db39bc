"""Topics that Kafka, or somebody else, changes under the workers that read them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest
from dramatiq import Worker
from kafka import TopicPartition
from kafka.errors import UnknownTopicOrPartitionError

from tests.helpers.kafka_reading import read_topic
from tests.helpers.numbers import Numbers
from tests.helpers.other_services import foreign_producer
from tests.helpers.waiting import wait_for
from workers import KafkaBroker
from workers.consumer.queue_consumer import QueueConsumer
from workers.errors import WorkersError
from workers.kafka import connect_admin, create_missing_topics, delete_records_below
from workers.topics import TopicSpec, log_config

#: A log whose cluster lets writers stamp as they like; Kafka's default refuses what is an hour ahead.
ANY_LOG = {"message.timestamp.after.max.ms": str(2**63 - 1)}

StartWorker = Callable[[KafkaBroker], Worker]


@pytest.fixture
def numbers(broker: KafkaBroker) -> Numbers:
    return Numbers(broker)


def write(numbers: Numbers, partition: int, *values: int, stamp_ms: int | None = None) -> None:
    with foreign_producer(numbers.broker.cluster) as producer:
        for value in values:
            producer.send(numbers.log, b"%d" % value, partition=partition, timestamp_ms=stamp_ms).get(10)


def test_partitions_that_are_added_are_seen_soon_and_keep_what_was_in_them(
    numbers: Numbers, start_worker: StartWorker
) -> None:
    start_worker(numbers.broker)
    write(numbers, 0, 1)
    wait_for(lambda: numbers.ran == Counter([1]))
    with connect_admin(numbers.broker.cluster) as admin:
        admin.create_partitions({numbers.log: 4})
        admin.wait_for_topics([numbers.log])
    write(numbers, 3, 2, 3)
    wait_for(lambda: numbers.ran == Counter([1, 2, 3]))
    wait_for(lambda: numbers.waiting() == 0)


def test_a_topic_that_is_deleted_and_made_again_is_read_from_its_start(
    numbers: Numbers, start_worker: StartWorker
) -> None:
    start_worker(numbers.broker)
    numbers.write(*range(10))
    wait_for(lambda: numbers.ran == Counter(range(10)))
    cluster = numbers.broker.cluster
    with connect_admin(cluster) as admin:
        admin.delete_topics([numbers.log])

        def is_made() -> bool:
            try:
                return bool(create_missing_topics(cluster, [TopicSpec(numbers.log, 2)]))
            except (WorkersError, UnknownTopicOrPartitionError):
                return False

        wait_for(is_made)
    numbers.write(100, 101)
    wait_for(lambda: numbers.ran == Counter([*range(10), 100, 101]), timeout_s=60)


def test_records_that_somebody_else_deletes_are_passed(numbers: Numbers, start_worker: StartWorker) -> None:
    numbers.write(*range(10))
    delete_records_below(numbers.broker.cluster, {TopicPartition(numbers.log, 0): 5})
    start_worker(numbers.broker)
    wait_for(lambda: numbers.ran == Counter(range(5, 10)))
    numbers.write(10)
    wait_for(lambda: 10 in numbers.ran)
    # All of them, in front of the position and up to the end.
    delete_records_below(numbers.broker.cluster, {TopicPartition(numbers.log, 0): 11})
    numbers.write(11)
    wait_for(lambda: 11 in numbers.ran)
    wait_for(lambda: numbers.waiting() == 0)


def deleted_unread(numbers: Numbers, start: int, end: int) -> str:
    """What the log says if reading would have gone on at ``start``, and goes on at ``end``."""
    return (
        f"{end - start} records were deleted unread topic={numbers.log} partition=0, reading went on at "
        f"offset {start} and goes on at {end}"
    )


def test_a_worker_that_stopped_says_what_was_deleted_in_front_of_its_position(
    numbers: Numbers, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    worker = start_worker(numbers.broker)
    numbers.write(*range(5))
    wait_for(lambda: numbers.waiting() == 0)
    worker.stop()
    assert numbers.ran == Counter(range(5))
    numbers.write(*range(5, 40))
    delete_records_below(numbers.broker.cluster, {TopicPartition(numbers.log, 0): 30})
    start_worker(numbers.broker)
    wait_for(lambda: numbers.waiting() == 0)
    assert numbers.ran == Counter([*range(5), *range(30, 40)])
    assert caplog.text.count(deleted_unread(numbers, 5, 30)) == 1


def test_a_worker_that_is_full_says_what_was_deleted_in_front_of_its_position(
    numbers: Numbers, caplog: pytest.LogCaptureFixture
) -> None:
    numbers.write(0)
    consumer = numbers.broker.consume("default", prefetch=1, timeout=100)
    assert isinstance(consumer, QueueConsumer)
    try:
        messages = (message for message in consumer if message is not None)
        first = next(messages)
        fetcher = consumer._poller._client._fetcher
        # It is full, and the request that was under way when it became so has ended.
        wait_for(lambda: next(consumer) is None and not fetcher._nodes_with_pending_fetch_requests)
        numbers.write(*range(1, 40))
        assert next(consumer) is None
        delete_records_below(numbers.broker.cluster, {TopicPartition(numbers.log, 0): 30})
        consumer.ack(first)
        done = [first.args[0]]
        while len(done) < 11:
            message = next(messages)
            done.append(message.args[0])
            consumer.ack(message)
        assert done == [0, *range(30, 40)]
    finally:
        consumer.close()
    assert caplog.text.count(deleted_unread(numbers, 1, 30)) == 1


@pytest.mark.parametrize("stamp_ms", [-1, 1, 2_900_000_000_000], ids=["none", "1970", "2061"])
@pytest.mark.parametrize("config", [log_config(86_400_000), ANY_LOG], ids=["our log", "any log"])
def test_the_stamps_of_writers_keep_no_record_from_its_job(
    broker: KafkaBroker, start_worker: StartWorker, stamp_ms: int, config: dict[str, str]
) -> None:
    log = broker.topics.named("numbers")
    create_missing_topics(broker.cluster, [TopicSpec(log, 1, config=config | {"segment.ms": "100"})])
    numbers = Numbers(broker)
    write(numbers, 0, 1, stamp_ms=stamp_ms)
    write(numbers, 0, 2)
    start_worker(broker)
    wait_for(lambda: numbers.ran == Counter([1, 2]))
    assert numbers.letters() == []
    wait_for(lambda: numbers.waiting() == 0)


def test_what_kafka_has_compacted_away_holds_up_nothing(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    log = broker.topics.named("numbers")
    config = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"}
    config |= {"max.compaction.lag.ms": "100", "message.timestamp.type": "LogAppendTime"}
    create_missing_topics(broker.cluster, [TopicSpec(log, 1, config=config)])
    numbers = Numbers(broker)

    def write_keyed(*values: int) -> None:
        with foreign_producer(broker.cluster) as producer:
            for value in values:
                producer.send(log, b"%d" % value, b"same", partition=0).get(10)

    write_keyed(*range(20))
    first = read_topic(broker.cluster, log)[0].timestamp
    wait_for(lambda: time.time() * 1000 > first + 300)
    write_keyed(20)  # in another segment: the last one is not compacted
    # Kafka's cleaner looks every 15 s.
    left = wait_for(lambda: found if len(found := read_topic(broker.cluster, log)) < 5 else None, 60)
    start_worker(broker)
    # The cleaner may take more of them before the worker comes to them, but never the last one.
    wait_for(lambda: set(numbers.ran) >= {int(one.value) for one in read_topic(broker.cluster, log)})
    assert numbers.ran[20] == 1
    assert numbers.ran <= Counter(int(record.value) for record in left)
    wait_for(lambda: numbers.waiting() == 0)
    write_keyed(21)
    wait_for(lambda: numbers.ran[21] == 1)
    assert numbers.letters() == []
