"""Topics that others write in transactions: nothing rolled back becomes a job, and nothing waits for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import dramatiq
import pytest
from dramatiq import Worker
from kafka import KafkaProducer, TopicPartition

from tests.helpers.numbers import Numbers
from tests.helpers.other_services import foreign_producer
from tests.helpers.waiting import wait_for
from workers import KafkaBroker
from workers.kafka import connect_admin
from workers.kafka.topic_reader import TopicReader
from workers.partitions.lag import LagReader

StartWorker = Callable[[KafkaBroker], Worker]


@pytest.fixture
def numbers(broker: KafkaBroker) -> Numbers:
    return Numbers(broker)


@pytest.fixture
def producer(numbers: Numbers) -> Iterator[KafkaProducer]:
    """Another service, which writes in transactions."""
    options = {"transactional_id": numbers.log, "transaction_timeout_ms": 60_000}
    with foreign_producer(numbers.broker.cluster, **options) as made:
        made.init_transactions()
        yield made


def write(producer: KafkaProducer, topic: str, *values: int) -> None:
    futures = [producer.send(topic, b"%d" % value, partition=0) for value in values]
    producer.flush(10)
    for future in futures:
        future.get(10)


def not_done(broker: KafkaBroker) -> int:
    group = broker.topics.group("default")
    with LagReader(broker.cluster, broker.topics_of("default"), group) as reader:
        return reader.not_done()


def read(numbers: Numbers) -> list[bytes | None]:
    with TopicReader(numbers.broker.cluster, numbers.log) as reader:
        return [record.value for record in reader.read_to_end()]


def test_what_was_rolled_back_is_no_job_and_leaves_nothing_behind(
    numbers: Numbers, producer: KafkaProducer, start_worker: StartWorker
) -> None:
    start_worker(numbers.broker)
    numbers.write(1)
    producer.begin_transaction()
    write(producer, numbers.log, 66, 67)
    producer.abort_transaction()
    producer.begin_transaction()
    write(producer, numbers.log, 2)
    producer.commit_transaction()
    wait_for(lambda: numbers.ran == Counter([1, 2]))
    # The log ends with markers: they are committed past.
    wait_for(lambda: not_done(numbers.broker) == 0)
    numbers.broker.join("default", timeout=60_000)
    status = numbers.status()
    assert (status.waiting, status.running, status.held_up, status.oldest) == (0, 0, 0, None)
    assert numbers.letters() == []
    assert numbers.ran == Counter([1, 2])
    # Whoever else reads the log, as the rebuild of an audit trail does, gets the same.
    assert read(numbers) == [b"1", b"2"]


def test_nothing_but_a_rolled_back_transaction_is_committed_past(
    numbers: Numbers, producer: KafkaProducer, start_worker: StartWorker
) -> None:
    producer.begin_transaction()
    write(producer, numbers.log, 66)
    producer.abort_transaction()
    start_worker(numbers.broker)
    wait_for(lambda: not_done(numbers.broker) == 0)
    assert numbers.ran == Counter()


def test_an_open_transaction_holds_up_its_partition_alone_and_status_says_so(
    numbers: Numbers, producer: KafkaProducer, start_worker: StartWorker
) -> None:
    start_worker(numbers.broker)
    producer.begin_transaction()
    write(producer, numbers.log, 2, 3)
    numbers.write(4)  # behind the open one, in the same partition
    numbers.broker.get_actor("work").send(1)
    wait_for(lambda: numbers.ran == Counter([1]))
    wait_for(lambda: numbers.status().held_up == numbers.status().waiting == 3)
    assert read(numbers) == []
    producer.commit_transaction()
    wait_for(lambda: numbers.ran == Counter([1, 2, 3, 4]))
    wait_for(lambda: not_done(numbers.broker) == 0)
    assert numbers.status().held_up == 0


def test_a_partition_without_records_has_a_position_too(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    """Else whoever scales by lag counts it as work."""

    @dramatiq.actor(broker=broker)
    def work() -> None: ...

    start_worker(broker)
    group, topic = broker.topics.group("default"), broker.topics.jobs("default")
    wanted = {TopicPartition(topic, partition): 0 for partition in range(2)}

    def committed() -> dict[TopicPartition, int]:
        found = admin.list_group_offsets(group).get(group, {})
        return {partition: known.offset for partition, known in found.items()}

    with connect_admin(broker.cluster) as admin:
        wait_for(lambda: committed() == wanted)
    work.send()
    broker.join("default", timeout=60_000)
