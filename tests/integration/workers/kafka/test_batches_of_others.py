"""Batches as other clients write them, and as no client can read them: no queue stops for one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import kafka.codec
import pytest
from dramatiq import Worker
from kafka import KafkaProducer

from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.dead_letters import reader as dead_letter_reader
from workers.dead_letters.letter import Reason
from workers.dead_letters.reader import Entry
from workers.dead_letters.replay import message_of
from workers.dead_letters.resolving import Resolution, resolve
from workers.kafka.topic_reader import TopicReader
from workers.local_kafka import LocalKafka
from workers.operations.dead_letters import replaying
from workers.operations.queue_status import StatusReader
from workers.records.sources import Incoming

StartWorker = Callable[[KafkaBroker], Worker]

CODECS = ("gzip", "snappy", "lz4", "zstd")


def number_of(record: Incoming) -> dramatiq.Message[Any]:
    """A log of numbers, with any amount of blanks in front."""
    number = int(record.value or b"")
    return dramatiq.Message("", "work", (number,), {}, {}, f"n{number}", record.timestamp_ms)


class Numbers:
    """A queue that reads a log of numbers of one partition."""

    def __init__(self, broker: KafkaBroker) -> None:
        self.broker = broker
        self.log = broker.topics.named("numbers")
        self.ran: Counter[int] = Counter()
        broker.add_source("default", self.log, number_of)

        @dramatiq.actor(broker=broker, actor_name="work", max_retries=0)
        def work(number: int) -> None:
            self.ran[number] += 1

        broker.prepare()

    def write(self, *numbers: int, codec: str | None = None, blanks: int = 0) -> None:
        """One batch, as another service writes it."""
        producer = KafkaProducer(
            bootstrap_servers=self.broker.cluster.bootstrap_servers,
            compression_type=codec,
            linger_ms=1_000,
            batch_size=16_000_000,
            max_request_size=16_000_000,
        )
        futures = [producer.send(self.log, b" " * blanks + b"%d" % n, partition=0) for n in numbers]
        producer.flush(10)
        for future in futures:
            future.get(10)
        producer.close()

    def letters(self) -> list[Entry]:
        return list(dead_letter_reader.unresolved(self.broker.cluster, self.broker.topics.dead_letters))

    def replay(self, entries: list[Entry]) -> Resolution:
        result = Resolution()
        topic = self.broker.topics.dead_letters
        resolve(self.broker.producer, topic, entries, replaying(self.broker).revive, result)
        return result

    def waiting(self) -> int:
        broker = self.broker
        with StatusReader(broker.cluster, broker.topics, broker.delay_tiers, broker.topics_of) as reader:
            [status] = reader.read(["default"])
        return status.waiting + status.running


@pytest.fixture
def numbers(broker: KafkaBroker) -> Numbers:
    return Numbers(broker)


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_read_also_in_batches_of_megabytes(
    numbers: Numbers, start_worker: StartWorker, codec: str
) -> None:
    start_worker(numbers.broker)
    numbers.write(1, 2, codec=codec, blanks=1_000)
    numbers.write(3, 4, codec=codec, blanks=2_000_000)
    numbers.write(5)
    wait_for(lambda: numbers.ran == Counter(range(1, 6)), timeout_s=20)
    wait_for(lambda: numbers.waiting() == 0)
    assert numbers.letters() == []


def test_a_codec_that_is_missing_stops_nothing_and_is_read_again_once_it_is_there(
    numbers: Numbers, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers.write(1)
    numbers.write(2, 3, codec="zstd", blanks=1_000)
    numbers.write(4)
    with monkeypatch.context() as patch:
        patch.setattr(kafka.codec, "zstd", None)
        start_worker(numbers.broker)
        wait_for(lambda: numbers.ran == Counter([1, 4]), timeout_s=20)
        [entry] = wait_for(numbers.letters)
        letter = entry.letter
        assert letter.reason is Reason.UNDECODABLE
        assert "offsets 1 to 2, cannot be read" in (letter.exception_message or "")
        assert "zstd" in (letter.exception_message or "")
        assert (letter.origin.topic, letter.origin.offset) == (numbers.log, 2)
        assert message_of(letter) is None
        wait_for(lambda: numbers.waiting() == 0)
        # Still not there: it stays a dead letter.
        failed = numbers.replay([entry])
        assert (failed.done, failed.failed) == (0, 1)
        assert "still cannot be read" in str(failed.failures[0][1])
    assert numbers.replay([entry]).done == 1
    wait_for(lambda: numbers.ran == Counter([1, 2, 3, 4]))
    assert numbers.letters() == []


def test_a_missing_codec_under_a_full_prefetch_ends_and_stops(
    numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kafka-python raised into the paused partition, once, and then looped for ever."""
    numbers.write(*range(20))
    numbers.write(98, 99, codec="lz4", blanks=1_000)
    numbers.write(100)
    monkeypatch.setattr(kafka.codec, "lz4", None)
    consumer = numbers.broker.consume("default", prefetch=1, timeout=100)
    try:
        done: list[int] = []
        for message in consumer:
            if message is None:
                if len(done) == 21:
                    break
                continue
            done.append(message.args[0])
            for _ in range(3):
                assert next(consumer) is None  # full: it polls with everything paused
            consumer.ack(message)
        assert done == [*range(20), 100]
    finally:
        consumer.close()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[LocalKafka]:
    kafka = LocalKafka(data_dir=tmp_path)
    kafka.start()
    yield kafka
    kafka.stop()


def damage(kafka: LocalKafka, topic: str, word: bytes) -> None:
    """Turn one bit of a batch over, on the disk."""
    port = int(kafka.bootstrap_servers.rpartition(":")[2])
    kafka.stop()
    segment = kafka.data_dir / "log" / f"{topic}-0" / "00000000000000000000.log"
    data = bytearray(segment.read_bytes())
    data[data.index(word)] ^= 1
    segment.write_bytes(data)
    kafka._chosen_port = port
    kafka.start()


def test_a_batch_that_is_damaged_on_the_disk_costs_its_own_records_alone(
    own_kafka: LocalKafka, namespace: str, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    broker = KafkaBroker(Cluster((own_kafka.bootstrap_servers,)), namespace=namespace, partitions=1)
    numbers = Numbers(broker)
    for first in (10, 777, 30):
        numbers.write(first, first + 1)
    damage(own_kafka, numbers.log, b"777")
    start_worker(broker)
    wait_for(lambda: numbers.ran == Counter([10, 11, 30, 31]), timeout_s=30)
    [entry] = wait_for(numbers.letters)
    assert "offsets 2 to 3, cannot be read: its checksum is wrong" in (entry.letter.exception_message or "")
    assert b"778" in (entry.letter.value or b"")
    wait_for(lambda: numbers.waiting() == 0)
    # Whoever else reads the log goes on as well, and says what it could not read.
    reader = TopicReader(broker.cluster, numbers.log)
    reader.open()
    offsets = [(r.first_offset, r.offset) for r in reader.read_to_end()]
    reader.close()
    assert offsets == [(0, 0), (1, 1), (2, 3), (4, 4), (5, 5)]
    assert "its checksum is wrong" in caplog.text
    broker.close()
