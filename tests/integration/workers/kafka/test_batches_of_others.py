"""Batches as other clients write them, and as no client can read them: no queue stops for one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import kafka.codec
import pytest
from dramatiq import Worker

from tests.helpers.numbers import Numbers
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.dead_letters.letter import Reason
from workers.dead_letters.replay import message_of
from workers.kafka.topic_reader import TopicReader
from workers.local_kafka import LocalKafka

StartWorker = Callable[[KafkaBroker], Worker]

CODECS = ("gzip", "snappy", "lz4", "zstd")


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
