"""Batches as other clients write them, and as no client can read them: no queue stops for one."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import dramatiq
import kafka.codec
import pytest
from dramatiq import Worker
from kafka import TopicPartition

from tests.helpers.numbers import Numbers
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.dead_letters.letter import Reason
from workers.dead_letters.replay import message_of
from workers.errors import LogUnreadable
from workers.kafka import connect_admin, create_missing_topics, delete_records_below
from workers.kafka.topic_reader import TopicReader
from workers.local_kafka import LocalKafka
from workers.operations.doctor import examine
from workers.operations.queue_status import QueueStatus, StatusReader
from workers.records.envelope import Record
from workers.records.headers import TOO_LONG_HEADER, text_of
from workers.topics import TopicSpec

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
    wait_for(lambda: numbers.ran == Counter(range(1, 6)))
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
        wait_for(lambda: numbers.ran == Counter([1, 4]))
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


@pytest.fixture
def long_batch(broker: KafkaBroker) -> Numbers:
    """The numbers 1 to 8, in one batch of more than a dead letter keeps."""
    log = TopicSpec(broker.topics.named("numbers"), 1, config={"max.message.bytes": "8000000"})
    create_missing_topics(broker.cluster, [log])
    numbers = Numbers(broker)
    numbers.write(*range(1, 9), codec="zstd", blanks=900_000, is_noise=True)
    return numbers


def test_a_batch_that_is_too_long_to_keep_is_read_again_from_its_log(
    long_batch: Numbers, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = long_batch
    numbers.write(9)
    with monkeypatch.context() as patch:
        patch.setattr(kafka.codec, "zstd", None)
        start_worker(numbers.broker)
        wait_for(lambda: numbers.ran == Counter([9]))
        [entry] = wait_for(numbers.letters)
        assert "offsets 0 to 7, cannot be read" in (entry.letter.exception_message or "")
        assert int(text_of(TOO_LONG_HEADER, entry.letter.job_headers) or 0) > 2_000_000
        failed = numbers.replay([entry])
        assert (failed.done, failed.failed) == (0, 1)
        assert "still cannot be read: the batch of" in str(failed.failures[0][1])
    assert numbers.replay([entry]).done == 1
    wait_for(lambda: numbers.ran == Counter(range(1, 10)))
    assert numbers.letters() == []


def test_one_that_its_log_does_not_hold_any_more_is_told(
    long_batch: Numbers, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = long_batch
    with monkeypatch.context() as patch:
        patch.setattr(kafka.codec, "zstd", None)
        start_worker(numbers.broker)
        [entry] = wait_for(numbers.letters)
    delete_records_below(numbers.broker.cluster, {TopicPartition(numbers.log, 0): 5})
    failed = numbers.replay([entry])
    assert (failed.done, failed.failed) == (0, 1)
    assert f"offsets 0 to 7 of {numbers.log}/0 are no longer in the log" in str(failed.failures[0][1])
    assert not numbers.ran


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


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """A Kafka whose files tests may damage, each those of its own topics."""
    kafka = LocalKafka(data_dir=tmp_path_factory.mktemp("kafka"))
    kafka.start()
    yield kafka
    kafka.stop()


def damage(kafka: LocalKafka, topic: str, word: bytes) -> None:
    """Turn one bit of a batch over, on the disk."""
    port = int(kafka.bootstrap_servers.rpartition(":")[2])
    kafka.stop()
    segment = segment_of(kafka, topic)
    data = bytearray(segment.read_bytes())
    data[data.index(word)] ^= 1
    segment.write_bytes(data)
    kafka._chosen_port = port
    kafka.start()


def segment_of(kafka: LocalKafka, topic: str) -> Path:
    return kafka.data_dir / "log" / f"{topic}-0" / "00000000000000000000.log"


@pytest.mark.long
@pytest.mark.parametrize("length", [3, -5, 100_000_000])
def test_a_log_that_kafka_itself_cannot_read_is_named_and_stops_no_other_partition(  # noqa: PLR0917
    own_kafka: LocalKafka,
    namespace: str,
    start_worker: StartWorker,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    length: int,
) -> None:
    broker = KafkaBroker(Cluster((own_kafka.bootstrap_servers,)), namespace=namespace, partitions=1)
    numbers = Numbers(broker)
    numbers.write(10, 11)
    numbers.write(777, 778)
    for number in (30, 40, 50):
        numbers.write(number, blanks=5_000)  # so large that Kafka's index names the batches behind
    segment = segment_of(own_kafka, numbers.log)
    sound = segment.read_bytes()
    starts = [0]
    while starts[-1] < len(sound):
        starts.append(starts[-1] + 12 + int.from_bytes(sound[starts[-1] + 8 : starts[-1] + 12], "big"))
    with segment.open("r+b") as file:  # as the broker runs: it finds other damages when it starts
        file.seek(starts[1] + 8)
        file.write(length.to_bytes(4, "big", signed=True))
    start_worker(broker)
    wait_for(lambda: numbers.ran == Counter([10, 11]))
    # The queue's own topic is read on, by the same consumer.
    broker.enqueue(dramatiq.Message("default", "work", (1,), {}, {}))
    wait_for(lambda: numbers.ran[1] == 1)
    assert "Consumer encountered an unexpected error" not in caplog.text

    def found() -> QueueStatus | None:
        status = numbers.status()
        return status if status.unreadable else None

    [place] = wait_for(found).unreadable
    assert (place.topic, place.partition, place.offset) == (numbers.log, 0, 2)
    module = ModuleType("damaged")
    module.broker = broker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "damaged", module)
    [told] = [one.text for one in examine("damaged:broker") if one.check == "logs"]
    assert f"Kafka cannot read {numbers.log}/0 at offset 2 (" in told
    assert "kafka-delete-records with that offset" in told
    if length < 1_000:
        assert f"partition cannot be read topic={numbers.log} partition=0 offset=2" in caplog.text
        assert caplog.text.count("partition cannot be read") == 1
    # What is told to be done helps.
    assert 4 <= place.readable_from < 7
    delete_records_below(broker.cluster, {TopicPartition(numbers.log, 0): place.readable_from})
    readable = {4: [30, 40, 50], 5: [40, 50], 6: [50]}[place.readable_from]
    wait_for(lambda: numbers.ran == Counter([10, 11, 1, *readable]))
    wait_for(lambda: not numbers.status().unreadable)
    broker.close()


@pytest.mark.long
def test_delayed_jobs_and_dead_letters_that_kafka_itself_cannot_read_are_named(
    own_kafka: LocalKafka, namespace: str
) -> None:
    broker = KafkaBroker(Cluster((own_kafka.bootstrap_servers,)), namespace=namespace, partitions=1)
    numbers = Numbers(broker)
    message: dramatiq.Message[None] = dramatiq.Message("default", "work", (1,), {}, {})
    for _ in range(3):
        broker.enqueue(message.copy(), delay=300_000)
        broker.producer.deliver(broker.topics.dead_letters, Record(b"k", b"{}", []))
    delay = broker.topics.delay("4m")
    damaged = [delay, broker.topics.dead_letters]
    for topic in damaged:
        with segment_of(own_kafka, topic).open("r+b") as file:
            file.seek(8)
            file.write((3).to_bytes(4, "big"))  # as the length of the first batch
    with StatusReader(broker.cluster, broker.topics, broker.delay_tiers, broker.topics_of) as reader:
        [place] = reader.unreadable_delays()
        assert (place.topic, place.partition, place.offset) == (delay, 0, 0)
        with pytest.raises(LogUnreadable, match=f"cannot read {broker.topics.dead_letters}/0 at offset 0"):
            numbers.letters()
        # What is told to be done helps.
        delete_records_below(broker.cluster, {TopicPartition(delay, 0): place.readable_from})
        wait_for(lambda: reader.unreadable_delays() == [])
    broker.close()
    # A Kafka that starts again reads logs whole that are damaged at their begin, and ends.
    with connect_admin(broker.cluster) as admin:
        admin.delete_topics(damaged)
    wait_for(lambda: not any(segment_of(own_kafka, topic).exists() for topic in damaged))


@pytest.mark.long
def test_a_batch_that_is_damaged_on_the_disk_costs_its_own_records_alone(
    own_kafka: LocalKafka, namespace: str, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    broker = KafkaBroker(Cluster((own_kafka.bootstrap_servers,)), namespace=namespace, partitions=1)
    numbers = Numbers(broker)
    for first in (10, 777, 30):
        numbers.write(first, first + 1)
    damage(own_kafka, numbers.log, b"777")
    start_worker(broker)
    wait_for(lambda: numbers.ran == Counter([10, 11, 30, 31]))
    [entry] = wait_for(numbers.letters)
    assert "offsets 2 to 3, cannot be read: its checksum is wrong" in (entry.letter.exception_message or "")
    assert b"778" in (entry.letter.value or b"")
    wait_for(lambda: numbers.waiting() == 0)
    # Whoever else reads the log goes on as well, and says what it could not read.
    with TopicReader(broker.cluster, numbers.log) as reader:
        offsets = [(r.first_offset, r.offset) for r in reader.read_to_end()]
    assert offsets == [(0, 0), (1, 1), (2, 3), (4, 4), (5, 5)]
    assert "its checksum is wrong" in caplog.text
    broker.close()
