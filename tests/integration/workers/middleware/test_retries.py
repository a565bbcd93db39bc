"""Retries on a real Kafka: which jobs are tried again, when, how often, and what rides with them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker
from dramatiq.middleware import CurrentMessage

from tests.helpers.kafka_reading import letters_of, read_topic
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker, Retries
from workers.dead_letters.letter import DeadLetter, Reason
from workers.middleware.retries import MAX_TRACEBACK_CHARS
from workers.records.envelope import Record
from workers.records.headers import ORIGIN_HEADER
from workers.topics import MAX_JOB_BYTES

StartWorker = Callable[[KafkaBroker], Worker]


class Mended(Exception):
    """Passes by itself."""


class Hopeless(Exception):
    """Never passes."""


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    retries = Retries(
        is_permanent=lambda error: isinstance(error, Hopeless), max_retries=2, min_backoff=20, max_backoff=40
    )
    broker = KafkaBroker(cluster, namespace=namespace, partitions=2, commit_interval_ms=50, retries=retries)
    broker.add_middleware(CurrentMessage())
    yield broker
    broker.close()


def the_letter(broker: KafkaBroker) -> DeadLetter:
    (letter,) = wait_for(lambda: letters_of(broker))
    return letter


def current() -> Any:
    message = CurrentMessage.get_current_message()
    assert message is not None
    return message


def test_a_job_that_fails_twice_succeeds_at_its_third_attempt(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    attempts: list[tuple[int, str | None]] = []

    @dramatiq.actor(broker=broker)
    def shaky() -> None:
        options = current().options
        attempts.append((options.get("retries", 0), options.get("traceback")))
        if len(attempts) < 3:
            raise Mended(f"attempt {len(attempts)}")

    shaky.send()
    start_worker(broker)
    wait_for(lambda: len(attempts) == 3)
    broker.join("default", timeout=60_000)
    assert [retries for retries, _ in attempts] == [0, 1, 2]
    assert [trace and trace.splitlines()[-1].rpartition(" ")[2] for _, trace in attempts] == [None, "1", "2"]
    assert letters_of(broker) == []


def test_retries_that_are_used_up_end_as_a_dead_letter_that_tells_all_attempts(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    told: list[Any] = []

    @dramatiq.actor(broker=broker)
    def give_up(message: dict[str, Any], retries: Any) -> None:
        told.append((message["message_id"], retries))

    @dramatiq.actor(broker=broker, on_retry_exhausted="give_up")
    def broken() -> None:
        raise Mended("never, in truth")

    sent = broken.send()
    (first,) = read_topic(broker.cluster, broker.topics.jobs("default"))
    start_worker(broker)
    letter = the_letter(broker)
    assert (letter.reason, letter.attempts, letter.exception_message) == (
        Reason.FAILED,
        3,
        "never, in truth",
    )
    assert letter.traceback is not None
    assert "in broken" in letter.traceback
    assert letter.first_origin == f"{first.topic}/{first.partition}/{first.offset}"
    assert letter.origin.offset > first.offset
    wait_for(lambda: told == [(sent.message_id, {"retries": 2, "max_retries": 2})])


def test_the_backoff_doubles_up_to_its_maximum_and_has_jitter(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    @dramatiq.actor(broker=broker, max_retries=4, min_backoff=100, max_backoff=400)
    def broken() -> None:
        raise Mended

    for _ in range(5):
        broken.send()
    start_worker(broker)
    wait_for(lambda: len(letters_of(broker)) == 5, timeout_s=60)
    waits: dict[bytes, list[int]] = {}
    records = read_topic(broker.cluster, broker.topics.delay("soon"))
    for record in sorted(records, key=lambda record: record.timestamp):
        waits.setdefault(record.key, []).append(int(dict(record.headers)["eta"]) - record.timestamp)
    assert [len(of_one) for of_one in waits.values()] == [4] * 5
    for of_one in waits.values():
        # Less the time until Kafka has stamped the record, by a clock of its own: only what is at most holds.
        most = [250, 450, 450, 450]
        assert all(wait <= limit for wait, limit in zip(of_one, most, strict=True)), (of_one, most)
    assert len({of_one[3] for of_one in waits.values()}) > 1


def test_max_retries_of_an_actor_and_of_a_message(broker: KafkaBroker, start_worker: StartWorker) -> None:
    calls: list[str] = []

    @dramatiq.actor(broker=broker, max_retries=1)
    def broken(name: str) -> None:
        calls.append(name)
        raise Mended

    broken.send("actor's")
    broken.send_with_options(args=("message's",), max_retries=0)
    start_worker(broker)
    wait_for(lambda: len(letters_of(broker)) == 2)
    assert sorted(calls) == ["actor's", "actor's", "message's"]


def test_retry_when_decides_alone(broker: KafkaBroker, start_worker: StartWorker) -> None:
    asked: list[tuple[int, str]] = []

    def retry_when(retries: int, error: BaseException) -> bool:
        asked.append((retries, str(error)))
        return retries < 3

    @dramatiq.actor(broker=broker, max_retries=0, retry_when=retry_when)
    def broken() -> None:
        raise Mended("no")

    broken.send()
    start_worker(broker)
    assert the_letter(broker).attempts == 4
    assert asked == [(number, "no") for number in range(4)]


def test_a_job_may_ask_for_its_retry_at_a_time(broker: KafkaBroker, start_worker: StartWorker) -> None:
    called_ms: list[int] = []

    @dramatiq.actor(broker=broker)
    def patient() -> None:
        called_ms.append(int(time.time() * 1000))
        if len(called_ms) == 1:
            raise dramatiq.errors.Retry("later", delay=700)

    patient.send()
    start_worker(broker)
    wait_for(lambda: len(called_ms) == 2)
    (record,) = read_topic(broker.cluster, broker.topics.delay("soon"))
    eta_ms = int(dict(record.headers)["eta"])
    assert called_ms[0] + 700 <= eta_ms <= called_ms[1]
    assert eta_ms <= record.timestamp + 700  # Kafka stamps it once it is sent


@pytest.mark.parametrize("error", [ValueError("throws"), Hopeless("permanent")])
def test_an_error_that_retrying_cannot_mend_is_a_dead_letter_at_once(
    broker: KafkaBroker, start_worker: StartWorker, error: Exception
) -> None:
    calls: list[int] = []

    @dramatiq.actor(broker=broker, throws=(ValueError,), max_retries=9)
    def invalid() -> None:
        calls.append(1)
        raise Mended if len(calls) == 1 else error

    invalid.send()
    start_worker(broker)
    letter = the_letter(broker)
    assert (len(calls), letter.attempts, letter.exception_message) == (2, 2, str(error))


def test_an_exception_that_an_actor_throws_on_purpose_is_no_warning(
    broker: KafkaBroker, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    @dramatiq.actor(broker=broker, throws=(ValueError,))
    def invalid() -> None:
        raise ValueError("as it says")

    invalid.send()
    with caplog.at_level(logging.INFO, "workers"):
        start_worker(broker)
        the_letter(broker)
        broker.join("default", timeout=60_000)
    written = [each for each in caplog.records if "dead letter written" in each.message]
    assert [each.levelno for each in written] == [logging.INFO]


class Decrypts(dramatiq.Middleware):
    """As middleware that sends arguments encrypted does."""

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        message.args = tuple(text[::-1] for text in message.args)


def test_a_retry_carries_the_message_that_came_and_not_what_middleware_made_of_it(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    broker.add_middleware(Decrypts())
    got: list[str] = []

    @dramatiq.actor(broker=broker)
    def work(text: str) -> None:
        got.append(text)
        raise Mended if len(got) == 1 else Hopeless

    work.send("nalp")
    start_worker(broker)
    letter = the_letter(broker)
    assert got == ["plan", "plan"]
    assert b"nalp" in (letter.value or b"")
    for topic in (broker.topics.delay("soon"), broker.topics.jobs("default")):
        assert all(b"plan" not in record.value for record in read_topic(broker.cluster, topic))


class Replaces(dramatiq.Middleware):
    """As middleware that renames an actor's arguments does."""

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        message._message = message._message.copy(args=("replaced",))


def test_a_message_that_middleware_replaces_is_the_one_that_runs(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    broker.add_middleware(Replaces())
    got: list[str] = []

    @dramatiq.actor(broker=broker)
    def work(text: str) -> None:
        got.append(text)

    work.send("original")
    start_worker(broker)
    broker.join("default", timeout=60_000)
    assert got == ["replaced"]


@pytest.mark.parametrize("delay", [50.5, 0.2])
def test_a_retry_may_be_delayed_by_any_number(
    broker: KafkaBroker, start_worker: StartWorker, delay: float
) -> None:
    calls: list[int] = []

    @dramatiq.actor(broker=broker)
    def patient() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise dramatiq.errors.Retry("later", delay=delay)  # type: ignore[arg-type]

    patient.send()
    start_worker(broker)
    broker.join("default", timeout=60_000)
    assert len(calls) == 2
    assert letters_of(broker) == []


class Unwritable:
    """JSON has no words for it."""


def test_a_job_whose_callback_cannot_be_written_becomes_a_dead_letter(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    @dramatiq.actor(broker=broker)
    def told(message: object, result: object) -> None: ...

    @dramatiq.actor(broker=broker)
    def work() -> object:
        return Unwritable()

    work.send_with_options(on_success=told)
    start_worker(broker)
    assert the_letter(broker).actor == "work"


def test_arguments_that_the_actor_does_not_take_are_never_retried(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    calls: list[int] = []

    @dramatiq.actor(broker=broker)
    def greet(name: str) -> None:
        raise AssertionError

    @dramatiq.actor(broker=broker, max_retries=1)
    def confused(name: str) -> None:
        calls.append(1)
        len(0)  # type: ignore[arg-type]  # a TypeError of the job's own

    greet.send("Ann", "Bob")  # type: ignore[call-arg]
    start_worker(broker)
    letter = the_letter(broker)
    assert (letter.reason, letter.attempts) == (Reason.INVALID_ARGUMENTS, 1)
    assert letter.exception_message == (
        "actor greet does not take these arguments: too many positional arguments"
    )
    confused.send("Cid")
    wait_for(lambda: len(letters_of(broker)) == 2)
    assert len(calls) == 2


def test_the_largest_job_with_the_longest_error_is_tried_again_and_given_up_with_both(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    traces: list[str] = []

    @dramatiq.actor(broker=broker, max_retries=1)
    def broken(_text: str) -> None:
        traces.append(current().options.get("traceback"))
        raise Mended("\U0001f600" * 1_000_000)

    empty = len(broken.message("").encode())
    sent = broken.send("x" * (MAX_JOB_BYTES - empty - 400))
    start_worker(broker)
    letter = the_letter(broker)
    assert (letter.id, letter.attempts) == (sent.message_id, 2)
    assert len(traces[1]) == MAX_TRACEBACK_CHARS + 3
    assert letter.value is not None
    assert len(letter.value) > MAX_JOB_BYTES - 1_000


def test_headers_of_others_and_the_first_origin_ride_with_retries(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    @dramatiq.actor(broker=broker, max_retries=2)
    def broken() -> None:
        raise Mended

    message = broken.message()
    broker.prepare()
    broker.producer.deliver(
        broker.topics.jobs("default"), Record(b"k", message.encode(), [("traceparent", b"00-\xff")])
    )
    start_worker(broker)
    letter = the_letter(broker)
    records = read_topic(broker.cluster, broker.topics.jobs("default"))
    first, *retried = sorted(records, key=lambda record: record.timestamp)
    for record in retried:
        assert ("traceparent", b"00-\xff") in record.headers
        assert [name for name, _ in record.headers].count(ORIGIN_HEADER) == 1
    assert ("traceparent", b"00-\xff") in letter.job_headers
    assert letter.first_origin == f"{first.topic}/{first.partition}/{first.offset}"


def test_retries_go_on_across_a_restart_of_the_worker(cluster: Cluster, namespace: str) -> None:
    attempts: list[int] = []

    def make() -> KafkaBroker:
        broker = KafkaBroker(cluster, namespace=namespace, partitions=2, commit_interval_ms=50)
        broker.add_middleware(CurrentMessage())

        @dramatiq.actor(
            broker=broker, actor_name="shaky", max_retries=3, min_backoff=1_000, max_backoff=1_000
        )
        def shaky() -> None:
            attempts.append(current().options.get("retries", 0))
            if len(attempts) < 3:
                raise Mended

        return broker

    for life in range(3):
        broker = make()
        if life == 0:
            broker.get_actor("shaky").send()
        worker = Worker(broker, worker_timeout=50, worker_threads=1)
        worker.start()
        wait_for(lambda: len(attempts) > life)  # noqa: B023 - waited for in this turn
        worker.stop()
        broker.close()
    assert attempts == [0, 1, 2]
