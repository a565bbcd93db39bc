"""Topics that others write and that a queue reads: their records become jobs, and they stay as they were."""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.kafka_reading import read_topic
from tests.helpers.other_services import foreign_producer
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.dead_letters import reader as dead_letter_reader
from workers.dead_letters.edits import parse_edit
from workers.dead_letters.reader import Entry
from workers.dead_letters.replay import revived
from workers.errors import InvalidName, WrongUsage
from workers.operations.queue_status import StatusReader
from workers.records.envelope import Record
from workers.records.headers import SOURCE_HEADER
from workers.records.sources import Incoming

StartWorker = Callable[[KafkaBroker], Worker]

#: Kafka allows that much for a compressed batch, and any number of bytes once it is unpacked.
TOO_LONG = 3_000_000


def number_of(record: Incoming) -> dramatiq.Message[Any] | None:
    """A log of plain numbers; each is a job for ``work``. Comments are none."""
    if record.value and record.value.startswith(b"#"):
        return None
    number = int(record.value or b"")
    unit = dict(record.headers).get("unit")
    kwargs = {"unit": unit.decode()} if unit else {}
    return dramatiq.Message("", "work", (number,), kwargs, {}, f"n{number}", record.timestamp_ms)


class Shop:
    """A queue that reads a log of numbers."""

    def __init__(self, broker: KafkaBroker, *, pause_s: float = 0) -> None:
        self.broker = broker
        self.log = broker.topics.named("numbers")
        self.jobs = broker.topics.jobs("default")
        self.ran: Counter[int] = Counter()
        self.failing: set[int] = set()
        broker.add_source("default", self.log, number_of, retention_ms=86_400_000)

        @dramatiq.actor(broker=broker, actor_name="work", max_retries=1, min_backoff=1, max_backoff=1)
        def work(number: int, unit: str = "") -> None:
            time.sleep(pause_s)
            self.ran[number] += 1
            if number in self.failing:
                raise ValueError(f"number {number}{unit} fails")

    def write(self, *values: bytes, headers: list[tuple[str, bytes]] | None = None) -> None:
        """Write as another service does, past all of our code."""
        self.broker.prepare()
        for value in values:
            self.broker.producer.deliver(self.log, Record(value[:4], value, headers or []))

    def logged(self) -> list[bytes]:
        return [record.value for record in read_topic(self.broker.cluster, self.log)]

    def letters(self) -> list[Entry]:
        topic = self.broker.topics.dead_letters
        return list(dead_letter_reader.unresolved(self.broker.cluster, topic))

    def letter(self) -> Entry:
        (entry,) = wait_for(self.letters)
        return entry


@pytest.fixture
def shop(broker: KafkaBroker) -> Shop:
    return Shop(broker)


def test_what_others_write_becomes_jobs(shop: Shop, start_worker: StartWorker) -> None:
    shop.write(*(str(number).encode() for number in range(20)))
    start_worker(shop.broker)
    shop.write(b"# a comment", *(str(number).encode() for number in range(20, 40)))
    shop.broker.join("default", timeout=60_000)
    assert shop.ran == dict.fromkeys(range(40), 1)
    assert len(shop.logged()) == 41
    assert shop.letters() == []
    assert read_topic(shop.broker.cluster, shop.jobs) == []


def test_a_retry_goes_to_the_queues_own_topic_and_the_log_stays_clean(
    shop: Shop, start_worker: StartWorker
) -> None:
    shop.failing = {7}
    shop.write(b"7", b"8")
    start_worker(shop.broker)
    entry = shop.letter()
    shop.broker.join("default", timeout=60_000)
    assert shop.ran == {7: 2, 8: 1}
    assert sorted(shop.logged()) == [b"7", b"8"]
    # The last attempt came out of the queue's own topic, by way of the delays.
    assert entry.letter.origin.topic == shop.jobs
    assert entry.letter.attempts == 2
    assert entry.letter.id == "n7"
    assert entry.letter.first_origin.startswith(f"{shop.log}/")


def test_a_failed_job_is_kept_as_a_job_that_can_be_mended_and_replayed(
    shop: Shop, start_worker: StartWorker
) -> None:
    shop.failing = {7}
    shop.broker.get_actor("work").options["max_retries"] = 0
    shop.write(b"7", headers=[("unit", b" kg")])
    start_worker(shop.broker)
    letter = shop.letter().letter
    assert letter.origin.topic == shop.log
    assert letter.exception_message == "number 7 kg fails"
    assert json.loads(letter.value or b"")["kwargs"] == {"unit": " kg"}

    topic, record = revived(letter, shop.broker.topics, now_ms=1, edits=[parse_edit("args.0=9")])
    assert topic == shop.jobs
    shop.broker.producer.deliver(topic, record)
    wait_for(lambda: shop.ran[9])
    assert shop.logged() == [b"7"]


def test_bytes_that_no_decoder_takes_are_kept_as_they_are_and_the_log_goes_on(
    shop: Shop, start_worker: StartWorker
) -> None:
    start_worker(shop.broker)
    shop.write(b"\xffmany", headers=[("unit", b"\xfe")])
    shop.write(b"5")
    wait_for(lambda: shop.ran[5])
    letter = shop.letter().letter
    assert (letter.reason, letter.queue, letter.origin.topic) == ("undecodable", "default", shop.log)
    assert letter.exception_message is not None
    assert "cannot be decoded: ValueError: invalid literal for int()" in letter.exception_message
    assert (letter.job_key, letter.value) == (b"\xffman", b"\xffmany")
    assert ("unit", b"\xfe") in letter.job_headers


def test_their_replay_goes_to_the_queues_own_topic_and_is_decoded_as_in_the_log(
    shop: Shop, start_worker: StartWorker
) -> None:
    shop.write(b"1x", headers=[("unit", b" kg")])
    worker = start_worker(shop.broker)
    first = shop.letter().letter
    # Nothing was mended: it becomes the same dead letter once more.
    place = revived(first, shop.broker.topics, now_ms=1)
    assert place[0] == shop.jobs
    assert place[1].value == b"1x"
    shop.broker.producer.deliver(*place)
    again = wait_for(lambda: [e.letter for e in shop.letters() if e.letter.replays])[0]
    assert again.id == first.id
    assert again.first_origin == str(first.origin)
    assert again.value == b"1x"
    worker.stop()

    mended = KafkaBroker(shop.broker.cluster, namespace=shop.broker.topics.namespace, partitions=2)
    units: list[str] = []
    mended.add_source(
        "default", shop.log, lambda record: number_of(record._replace(value=(record.value or b"")[:1]))
    )

    @dramatiq.actor(broker=mended, actor_name="work", max_retries=1, min_backoff=1, max_backoff=1)
    def work(number: int, unit: str = "") -> None:
        units.append(f"{number}{unit}")
        if len(units) == 1:
            raise ValueError("its retry is a job like any other")

    mended.producer.deliver(*revived(again, mended.topics, now_ms=2))
    start_worker(mended)
    wait_for(lambda: units == ["1 kg", "1 kg"])
    assert shop.logged() == [b"1x"]
    mended.join("default", timeout=60_000)
    mended.close()


def test_a_record_that_no_dead_letter_can_hold_does_not_stop_the_log(
    shop: Shop, start_worker: StartWorker
) -> None:
    start_worker(shop.broker)
    shop.broker.prepare()
    assert len(gzip.compress(b"x" * TOO_LONG)) < 10_000
    options = {"compression_type": "gzip", "max_request_size": TOO_LONG * 2}
    with foreign_producer(shop.broker.cluster, **options) as foreign:
        foreign.send(shop.log, b"x" * TOO_LONG, partition=0).get(30)
        foreign.send(shop.log, b"6", partition=0).get(30)
    wait_for(lambda: shop.ran[6])
    letter = shop.letter().letter
    assert letter.value == b"x" * 16_384  # a beginning, to be looked at
    assert (letter.origin.topic, letter.origin.offset) == (shop.log, 0)
    with pytest.raises(WrongUsage, match=r"too long, see .*\.numbers/0/0"):
        revived(letter, shop.broker.topics, now_ms=1)


def test_a_job_that_is_longer_than_its_record_is_kept_as_its_record(
    shop: Shop, start_worker: StartWorker
) -> None:
    # A letter of two bytes takes six in a job's JSON.
    name = shop.broker.topics.named("names")

    def hail_to(record: Incoming) -> dramatiq.Message[Any]:
        return dramatiq.Message("", "hail", ((record.value or b"").decode(),), {}, {})

    shop.broker.add_source("default", name, hail_to)

    @dramatiq.actor(broker=shop.broker, queue_name="default", max_retries=0)
    def hail(text: str) -> None:
        raise ValueError("no")

    shop.broker.prepare()
    value = ("é" * 400_000).encode()
    shop.broker.producer.deliver(name, Record(b"k", value, []))
    start_worker(shop.broker)
    letter = shop.letter().letter
    assert letter.actor == "hail"
    assert letter.value == value
    assert (SOURCE_HEADER, name.encode()) in letter.job_headers
    assert revived(letter, shop.broker.topics, now_ms=1)[0] == shop.jobs


def test_done_jobs_are_trimmed_and_done_records_of_the_log_never(
    cluster: Cluster, namespace: str, start_worker: StartWorker
) -> None:
    broker = KafkaBroker(
        cluster, namespace=namespace, partitions=2, commit_interval_ms=50, trim_interval_ms=50
    )
    shop = Shop(broker)
    shop.write(*(str(number).encode() for number in range(10)))
    worker = start_worker(broker)
    broker.get_actor("work").send(99)
    broker.join("default", timeout=60_000)
    wait_for(lambda: not read_topic(cluster, shop.jobs))
    worker.stop()
    assert len(shop.logged()) == 10
    broker.close()


def test_flush_drops_the_jobs_and_leaves_the_log_which_still_becomes_jobs(
    shop: Shop, start_worker: StartWorker
) -> None:
    shop.write(b"1", b"2")
    shop.broker.get_actor("work").send(3)
    shop.broker.flush("default")
    assert len(shop.logged()) == 2
    start_worker(shop.broker)
    shop.broker.join("default", timeout=60_000)
    assert shop.ran == {1: 1, 2: 1}


def test_join_and_status_count_the_log_too(shop: Shop, start_worker: StartWorker) -> None:
    broker = shop.broker
    shop.write(b"1", b"2", b"3")
    broker.get_actor("work").send(4)
    with pytest.raises(dramatiq.errors.QueueJoinTimeout, match="4 messages not done"):
        broker.join("default", timeout=100)
    with StatusReader(broker.cluster, broker.topics, broker.delay_tiers, broker.topics_of) as reader:
        (waiting,) = reader.read(["default"])
        assert (waiting.waiting, waiting.partitions) == (4, 4)
        assert waiting.oldest is not None
        assert waiting.oldest.topic == shop.log
        start_worker(broker)
        broker.join("default", timeout=60_000)
        wait_for(lambda: reader.read(["default"])[0].waiting == 0)


def test_the_log_is_created_with_its_retention_and_shown_with_the_topics(shop: Shop) -> None:
    created = shop.broker.prepare()
    assert shop.log in created
    (spec,) = [spec for spec in shop.broker.topic_specs() if spec.name == shop.log]
    assert spec.is_source
    assert spec.config["retention.ms"] == "86400000"


def test_a_topic_is_read_once(shop: Shop) -> None:
    for topic in (shop.log, shop.jobs):
        with pytest.raises(InvalidName, match=r"reads topic .* already"):
            shop.broker.add_source("default", topic, number_of)


@pytest.fixture
def add_worker(cluster: Cluster, namespace: str) -> Iterator[Callable[[], Shop]]:
    """Adds a worker with a broker of its own, as in a process of its own."""
    workers: list[tuple[KafkaBroker, Worker]] = []

    def add() -> Shop:
        broker = KafkaBroker(cluster, namespace=namespace, partitions=4, commit_interval_ms=50)
        shop = Shop(broker, pause_s=0.005)
        worker = Worker(broker, worker_timeout=100, worker_threads=4)
        worker.start()
        workers.append((broker, worker))
        return shop

    yield add
    for broker, worker in workers:
        worker.stop()
        broker.close()


def test_a_log_that_changes_hands_is_read_once(add_worker: Callable[[], Shop]) -> None:
    first = add_worker()
    first.broker.prepare()
    second: Shop | None = None
    written = 0

    def changed_hands() -> bool:
        """Write on until both have worked: nobody knows how long the second takes to join."""
        nonlocal second, written
        numbers = range(written, written + 50)
        first.write(*(str(number).encode() for number in numbers))
        written += len(numbers)
        if second is None and first.ran:
            second = add_worker()
        return second is not None and len(second.ran) > 20

    wait_for(changed_hands, timeout_s=60)
    assert second is not None
    first.broker.join("default", timeout=60_000)
    assert first.ran + second.ran == dict.fromkeys(range(written), 1)
