"""Every way into the dead letters: what `show` tells of each letter, and what comes of its replay.

A letter names actor and queue as far as the record's bytes tell, and can be replayed; or the replay says in
words why not, and what to do.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dramatiq
import kafka.codec
import pytest
from dramatiq import Worker
from dramatiq.middleware import CurrentMessage
from typer.testing import CliRunner

from tests.helpers.kafka_reading import committed_position, letters_of, read_topic
from tests.helpers.numbers import noise
from tests.helpers.other_services import foreign_producer
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker, application
from workers.cli.dead_letters import commands
from workers.controls.then import Then
from workers.dead_letters.filter import Filter
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.topic.letter_record import encode
from workers.kafka import OffsetAndMetadata, TopicPartition, connect_consumer, create_missing_topics
from workers.partitions import commit_metadata
from workers.partitions.crash_counts import CrashCounts
from workers.partitions.ledger import Progress
from workers.records import envelope
from workers.records.envelope import Record
from workers.records.sources import Incoming
from workers.topics import TopicSpec

StartWorker = Callable[[KafkaBroker], Worker]
#: More than any topic of ours takes, once it is unpacked.
TOO_LONG = 3_000_000


def number_of(record: Incoming) -> dramatiq.Message[Any] | None:
    """The job of a record of the source: a number for ``work``."""
    return dramatiq.Message("", "work", (int(record.value or b""),), {}, {}, f"n{int(record.value or b'')}")


class Rejecting(dramatiq.Middleware):
    """Gives jobs up before they run, without an exception."""

    is_active = False

    def before_process_message(self, _broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        if self.is_active:
            message.fail()


class House:
    """A broker whose actors do what they are told, and what ran."""

    def __init__(self, broker: KafkaBroker, patch: pytest.MonkeyPatch) -> None:
        self.broker = broker
        self.patch = patch
        self.mended = False
        self.ran: list[int] = []
        self.log = broker.topics.named("numbers")
        # Others may have given their topic a larger limit than ours have.
        log = TopicSpec(self.log, 1, config={"max.message.bytes": "8000000"})
        create_missing_topics(broker.cluster, [log])
        broker.add_source("default", self.log, number_of, retention_ms=86_400_000)

        @dramatiq.actor(broker=broker, actor_name="work", max_retries=0)
        def work(number: int) -> None:
            if not self.mended:
                raise ValueError(f"no {number}")
            self.ran.append(number)

        @dramatiq.actor(broker=broker, actor_name="follow", max_retries=0)
        def follow(number: int) -> None:
            if not self.mended:
                # What follows cannot be sent: it is too large.
                broker.enqueue(work.message("x" * 2_000_000))  # type: ignore[arg-type]
            self.ran.append(number)

        @dramatiq.actor(broker=broker, actor_name="wait", max_retries=0)
        def wait(number: int) -> None:
            message: Any = CurrentMessage.get_current_message()
            message.hold()
            self.ran.append(number)
            message.release(None if self.mended else ValueError(f"no {number}"))

        self.work, self.follow, self.wait = work, follow, wait
        self.rejecting = Rejecting()
        for middleware in (CurrentMessage(), self.rejecting):
            broker.add_middleware(middleware)
        broker.prepare()

    def mend(self) -> None:
        """Let what failed succeed from now on, but bring no codec back and lift no switch."""
        self.mended, self.rejecting.is_active = True, False
        self.ran.clear()

    def write(self, topic: str, value: bytes | None, *headers: tuple[str, bytes], key: bytes = b"k") -> None:
        self.broker.producer.deliver(topic, Record(key, value, list(headers)))

    def write_packed(
        self, topic: str, value: bytes, *headers: tuple[str, bytes], codec: str = "gzip"
    ) -> None:
        options = {"compression_type": codec, "max_request_size": 2 * len(value)}
        with foreign_producer(self.broker.cluster, **options, allow_auto_create_topics=False) as producer:
            producer.send(topic, value, b"k", list(headers)).get(timeout=30)


@pytest.fixture
def house(cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1, commit_interval_ms=50)
    monkeypatch.setattr(application, "load_broker", lambda _app: broker)
    yield House(broker, monkeypatch)
    broker.close()


def job(actor: str, *args: object, **options: object) -> dramatiq.Message[Any]:
    return dramatiq.Message("default", actor, args, {}, options, "m-1")


def _jobs(house: House) -> str:
    return house.broker.topics.jobs("default")


def _delay(house: House) -> str:
    return house.broker.topics.delay("soon")


def failed(house: House) -> None:
    house.broker.enqueue(house.work.message(1))


def rejected(house: House) -> None:
    house.rejecting.is_active = True
    house.broker.enqueue(house.work.message(1))


def held(house: House) -> None:
    house.broker.controls.switch(Filter(actor="work"), Then.HOLD, who="ann")
    house.broker.enqueue(house.work.message(1))


def released_with_an_error(house: House) -> None:
    house.broker.enqueue(house.wait.message(1))


def expired(house: House) -> None:
    house.broker.enqueue(job("work", 1, max_age=1).copy(message_timestamp=1_000))


def unknown_actor(house: House) -> None:
    house.write(_jobs(house), job("wrok", 1).encode())


def invalid_arguments(house: House) -> None:
    house.write(_jobs(house), job("work", 1, 2).encode())


def lost_follow_up(house: House) -> None:
    house.broker.enqueue(job("follow", 1))


def crashed(house: House) -> None:
    house.write(_jobs(house), job("work", 1).encode())
    partition = TopicPartition(_jobs(house), 0)
    metadata = commit_metadata.encode(Progress((), 0), CrashCounts(False, {0: 3}))
    consumer = connect_consumer(house.broker.cluster, house.broker.topics.group("default"))
    consumer.assign([partition])
    consumer.commit({partition: OffsetAndMetadata(0, metadata, -1)})
    consumer.close()


def garbage(house: House) -> None:
    house.write(_jobs(house), b"\xff{", ("actor", b"work"), ("trace", b"\x00\xff"))


def no_value(house: House) -> None:
    house.write(_jobs(house), None)


def source_garbage(house: House) -> None:
    house.write(house.log, b"seven")


def source_job(house: House) -> None:
    house.write(house.log, b"7")


def source_that_is_gone(house: House) -> None:
    house.write(_jobs(house), b"7", ("source-topic", b"numbers.of.old"))


def job_of_delay_without_a_due_time(house: House) -> None:
    house.write(_delay(house), job("work", 1).encode())


def job_of_delay_with_a_due_time_that_is_none(house: House) -> None:
    house.write(_delay(house), job("work", 1).encode(), ("queue", b"default"), ("eta", b"2000.0"))


def job_of_delay_for_a_queue_that_no_topic_can_have(house: House) -> None:
    house.write(_delay(house), job("work", 1).encode(), ("queue", b"a/b"), ("eta", b"1"))


def job_of_delay_for_no_queue(house: House) -> None:
    house.write(_delay(house), job("work", 1).encode(), ("queue", b""), ("eta", b"1"))


def garbage_in_delay(house: House) -> None:
    house.write(_delay(house), b"\xff{", ("actor", b"work"), ("queue", b"default"))


def garbage_in_delay_for_no_queue(house: House) -> None:
    house.write(_delay(house), b"\xff{")


def too_long(house: House) -> None:
    house.write_packed(_jobs(house), job("work", "x" * TOO_LONG).encode())


def too_long_garbage(house: House) -> None:
    house.write_packed(_jobs(house), b"x" * TOO_LONG, ("actor", b"work"))


def too_long_in_delay(house: House) -> None:
    value = job("work", "x" * TOO_LONG).encode()
    house.write_packed(_delay(house), value, ("actor", b"work"), ("queue", b"default"), ("eta", b"1"))


def too_long_in_source(house: House) -> None:
    house.write_packed(house.log, b"x" * TOO_LONG)


def batch_without_its_codec(house: House) -> None:
    house.write_packed(_jobs(house), job("work", 1).encode() + b" " * 1_000, codec="zstd")
    house.patch.setattr(kafka.codec, "zstd", None)


def batch_of_delay_without_its_codec(house: House) -> None:
    value = job("work", 1).encode() + b" " * 1_000
    house.write_packed(_delay(house), value, ("queue", b"default"), ("eta", b"1"), codec="zstd")
    house.patch.setattr(kafka.codec, "zstd", None)


def batch_of_source_without_its_codec(house: House) -> None:
    house.write_packed(house.log, b" " * 1_000 + b"7", codec="zstd")
    house.patch.setattr(kafka.codec, "zstd", None)


def long_batch_of_source_without_its_codec(house: House) -> None:
    options = {"compression_type": "zstd", "linger_ms": 1_000, "batch_size": 16_000_000}
    with foreign_producer(house.broker.cluster, **options, max_request_size=16_000_000) as producer:
        for number in range(8):
            producer.send(house.log, noise(number, 900_000) + b"%d" % number)
        producer.flush(60)
    house.patch.setattr(kafka.codec, "zstd", None)


@dataclass(frozen=True)
class Way:
    """``replay``: the job runs once its cause is mended, or comes back as it was; or what the error says."""

    enter: Callable[[House], None]
    reason: Reason
    actor: str | None
    queue: str | None
    replay: str


RUNS, BACK = "runs", "comes back"
BEGINNING = "bytes only the beginning is kept: send the job again"
WAYS = [
    Way(failed, Reason.FAILED, "work", "default", RUNS),
    Way(rejected, Reason.REJECTED, "work", "default", RUNS),
    Way(held, Reason.HELD, "work", "default", BACK),
    Way(released_with_an_error, Reason.FAILED, "wait", "default", RUNS),
    Way(expired, Reason.EXPIRED, "work", "default", BACK),
    Way(unknown_actor, Reason.UNKNOWN_ACTOR, "wrok", "default", BACK),
    Way(invalid_arguments, Reason.INVALID_ARGUMENTS, "work", "default", BACK),
    Way(lost_follow_up, Reason.FAILED, "follow", "default", RUNS),
    Way(crashed, Reason.CRASHED, "work", "default", RUNS),
    Way(garbage, Reason.UNDECODABLE, "work", "default", BACK),
    Way(no_value, Reason.UNDECODABLE, None, "default", BACK),
    Way(source_garbage, Reason.UNDECODABLE, None, "default", BACK),
    Way(source_job, Reason.FAILED, "work", "default", RUNS),
    Way(source_that_is_gone, Reason.UNDECODABLE, None, "default", BACK),
    Way(job_of_delay_without_a_due_time, Reason.UNDECODABLE, "work", "default", RUNS),
    Way(job_of_delay_with_a_due_time_that_is_none, Reason.UNDECODABLE, "work", "default", RUNS),
    Way(job_of_delay_for_a_queue_that_no_topic_can_have, Reason.UNDECODABLE, "work", "default", RUNS),
    Way(job_of_delay_for_no_queue, Reason.UNDECODABLE, "work", "default", RUNS),
    Way(garbage_in_delay, Reason.UNDECODABLE, "work", "default", BACK),
    Way(
        garbage_in_delay_for_no_queue,
        Reason.UNDECODABLE,
        None,
        None,
        "nothing says which queue they are for; `show` prints them: send the job again, then discard this",
    ),
    Way(batch_without_its_codec, Reason.UNDECODABLE, None, "default", "still cannot be read"),
    Way(batch_of_delay_without_its_codec, Reason.UNDECODABLE, None, None, "still cannot be read"),
    Way(batch_of_source_without_its_codec, Reason.UNDECODABLE, None, "default", "still cannot be read"),
    Way(long_batch_of_source_without_its_codec, Reason.UNDECODABLE, None, "default", "still cannot be read"),
    Way(too_long, Reason.FAILED, "work", "default", BEGINNING),
    Way(
        too_long_garbage,
        Reason.UNDECODABLE,
        "work",
        "default",
        BEGINNING,
    ),
    Way(
        too_long_in_delay,
        Reason.FAILED,
        "work",
        "default",
        BEGINNING,
    ),
    Way(
        too_long_in_source,
        Reason.UNDECODABLE,
        None,
        "default",
        BEGINNING,
    ),
]


def test_there_is_a_way_for_each_reason() -> None:
    assert {way.reason for way in WAYS} == set(Reason)


def the_letter(house: House) -> DeadLetter | None:
    found = letters_of(house.broker)
    return found[0] if found else None


def run(*words: str) -> Any:
    return CliRunner().invoke(commands.app, list(words))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.enter.__name__)
def test_each_way_in_gives_a_letter_that_can_be_shown_and_replayed_or_says_why_not(
    house: House, way: Way, start_worker: StartWorker
) -> None:
    way.enter(house)
    start_worker(house.broker)
    letter = wait_for(lambda: the_letter(house))
    assert (letter.reason, letter.actor, letter.queue) == (way.reason, way.actor, way.queue)

    shown = run("show", letter.id)
    assert shown.exit_code == 0, shown.output
    assert way.actor is None or way.actor in shown.stdout

    house.mend()
    replayed = run("replay", "--all", "--yes")
    if way.replay == RUNS:
        assert (replayed.exit_code, replayed.stderr) == (0, "")
        wait_for(lambda: house.ran)
        assert letters_of(house.broker) == []
    elif way.replay == BACK:
        assert (replayed.exit_code, replayed.stderr) == (0, "")
        again = wait_for(lambda: the_letter(house))
        assert (again.id, again.replays, again.value) == (letter.id, 1, letter.value)
    else:
        assert replayed.exit_code == 1
        assert way.replay in replayed.stderr
        assert "Kafka" not in replayed.stderr
        assert [one.id for one in letters_of(house.broker)] == [letter.id]


def test_a_job_that_unpacks_to_more_than_a_topic_takes_runs_and_holds_up_nothing(
    house: House, start_worker: StartWorker
) -> None:
    value = job("work", "x" * TOO_LONG).encode()
    assert len(gzip.compress(value)) < 10_000
    house.write_packed(_jobs(house), value)
    house.mended = True
    house.broker.enqueue(house.work.message(8))
    start_worker(house.broker)
    wait_for(lambda: 8 in house.ran)
    # The actor of a mended house takes any argument.
    assert len(house.ran) == 2


def test_of_a_record_that_is_too_long_place_size_and_a_beginning_are_kept(
    house: House, start_worker: StartWorker
) -> None:
    value = job("work", "x" * TOO_LONG).encode()
    house.write_packed(_jobs(house), value, ("big", b"b" * 5_000), ("trace", b"1"))
    start_worker(house.broker)
    letter = wait_for(lambda: the_letter(house))
    assert letter.origin.topic == _jobs(house)
    assert (letter.origin.partition, letter.origin.offset) == (0, 0)
    assert letter.value == value[: len(letter.value or b"")]
    assert 1_000 < len(letter.value or b"") < 100_000
    assert dict(letter.job_headers)["trace"] == b"1"
    size = int(dict(letter.job_headers)["too-long"])
    assert len(value) < size < len(value) + 10_000
    assert letter.exception_message == "no " + "x" * 4_093 + "..."
    assert f"bytes of {size}" in run("show", letter.id).stdout
    wait_for(lambda: committed_position(house.broker, "default") == 1)


def test_letters_of_the_mover_from_before_this_version_are_replayed_into_the_queue_of_their_message(
    house: House, start_worker: StartWorker
) -> None:
    old = DeadLetter(
        Reason.UNDECODABLE,
        Origin(_delay(house), 0, 5, 1),
        job("work", 1).encode(),
        int(time.time() * 1000),
        "g",
        queue="",
    )
    house.broker.producer.deliver(house.broker.topics.dead_letters, encode(old))
    assert '"actor_name": "work"' in run("show", old.id).stdout
    assert run("replay", old.id, "--yes").exit_code == 0
    (record,) = read_topic(house.broker.cluster, _jobs(house))
    assert json.loads(record.value)["queue_name"] == "default"
    assert envelope.decode(record.value, "default").args == (1,)
