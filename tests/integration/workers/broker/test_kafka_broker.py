"""KafkaBroker against a real Kafka: durability, acks, commits and dead letters."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.kafka_reading import committed_position, read_topic
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.dead_letters.letter import DeadLetter, Reason
from workers.dead_letters.reader import Counts
from workers.dead_letters.topic.letter_record import decode
from workers.errors import KafkaUnreachable, MessageTooLarge, UnknownQueue
from workers.kafka import connect_admin
from workers.records import envelope
from workers.topics import MAX_JOB_BYTES

StartWorker = Callable[..., Worker]


def message(*args: Any, **options: Any) -> dramatiq.Message[None]:
    return dramatiq.Message("default", "work", args, {}, options)


def letters_of(broker: KafkaBroker) -> list[DeadLetter]:
    records = read_topic(broker.cluster, broker.topics.dead_letters)
    return [decode(record.value, record.headers) for record in records]


# -- enqueue


def test_a_sent_message_is_in_the_log_when_send_returns(broker: KafkaBroker) -> None:
    broker.declare_queue("default")
    sent = broker.enqueue(message(1))
    (record,) = read_topic(broker.cluster, broker.topics.jobs("default"))
    assert record.value == sent.encode()
    assert record.key == sent.message_id.encode()
    assert dict(record.headers)["actor"] == b"work"


def test_threads_that_prepare_at_once_ask_kafka_once(
    broker: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.declare_queue("default")
    with caplog.at_level("INFO"):
        threads = [threading.Thread(target=broker.prepare) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert caplog.text.count("topics created") == 1
    assert broker.prepare() == []


def test_the_same_key_always_goes_to_the_same_partition(broker: KafkaBroker) -> None:
    broker.declare_queue("default")
    for number in range(20):
        broker.enqueue(message(number, key=f"user:{number % 4}"))
    partitions: dict[bytes, set[int]] = {}
    for record in read_topic(broker.cluster, broker.topics.jobs("default")):
        partitions.setdefault(record.key, set()).add(record.partition)
    assert len(partitions) == 4
    assert all(len(found) == 1 for found in partitions.values())


def test_an_undeclared_queue_suggests_the_nearest(broker: KafkaBroker) -> None:
    broker.declare_queue("notifications")
    with pytest.raises(UnknownQueue, match="did you mean 'notifications'"):
        broker.enqueue(dramatiq.Message("notification", "work", (), {}, {}))


def test_an_oversized_message_is_refused_at_the_caller(broker: KafkaBroker) -> None:
    broker.declare_queue("default")
    with pytest.raises(MessageTooLarge, match=r"for actor work is \d+ bytes"):
        broker.enqueue(message("x" * MAX_JOB_BYTES))
    assert read_topic(broker.cluster, broker.topics.jobs("default")) == []


def test_the_largest_allowed_message_goes_through_and_so_does_its_dead_letter(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    @dramatiq.actor(broker=broker, max_retries=0)
    def work(text: str) -> None:
        raise ValueError("no" * 100_000)

    room = MAX_JOB_BYTES - 1000
    work.send("x" * room)
    start_worker(broker)
    (letter,) = wait_for(lambda: letters_of(broker))
    assert letter.value is not None
    assert len(letter.value) > room


def test_arguments_that_json_cannot_write_are_refused(broker: KafkaBroker) -> None:
    broker.declare_queue("default")
    with pytest.raises(TypeError, match="JSON serializable"):
        broker.enqueue(message(object()))


def test_many_threads_share_one_broker(broker: KafkaBroker) -> None:
    broker.declare_queue("default")
    threads = [
        threading.Thread(target=lambda n=n: [broker.enqueue(message(n, i)) for i in range(20)])
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_topic(broker.cluster, broker.topics.jobs("default"))) == 160


def _enqueue_in_child(broker: KafkaBroker, inherited: int) -> None:
    producer = broker.producer
    assert producer._producer is None, "the child holds the producer of its parent"
    broker.enqueue(message("child"))
    assert id(producer._producer) != inherited
    broker.close()
    os._exit(0)


def test_a_forked_child_makes_its_own_producer(broker: KafkaBroker) -> None:
    broker.declare_queue("default")
    broker.enqueue(message("before"))
    child = multiprocessing.get_context("fork").Process(
        target=_enqueue_in_child, args=(broker, id(broker.producer._producer))
    )
    child.start()
    child.join(30)
    assert child.exitcode == 0
    broker.enqueue(message("after"))
    records = read_topic(broker.cluster, broker.topics.jobs("default"))
    assert {envelope.decode(r.value, "default").args[0] for r in records} == {"before", "child", "after"}


# -- consuming


def test_a_consumer_whose_client_is_beyond_use_closes_all_the_same(
    broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else dramatiq's consumer thread dies, and its queue has no consumer in this process any more."""
    broker.declare_queue("default")
    broker.enqueue(message(1))
    consumer = broker.consume("default", timeout=500)
    consumer.ack(wait_for(lambda: next(consumer)))
    close = consumer._assignment._client.close

    def fail(*args: object, **options: object) -> None:
        raise RuntimeError("NetworkSelector closed!")

    monkeypatch.setattr(consumer._assignment._client, "commit", fail)
    monkeypatch.setattr(consumer._assignment._client, "close", fail)
    consumer.close()
    assert "last commit failed" in caplog.text
    assert "consumer not closed cleanly" in caplog.text
    close()


def test_a_restarted_worker_goes_on_where_the_last_one_stopped(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    ran: list[int] = []

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None:
        ran.append(number)

    for number in range(30):
        work.send(number)
    worker = start_worker(broker)
    wait_for(lambda: len(ran) == 30)
    worker.stop()
    for number in range(30, 40):
        work.send(number)
    start_worker(broker)
    broker.join("default", timeout=60_000)
    assert sorted(ran) == list(range(40))


def test_what_was_received_and_not_done_is_delivered_again(broker: KafkaBroker) -> None:
    broker.declare_queue("default")
    for number in range(6):
        broker.enqueue(message(number, key="same partition"))
    first = broker.consume("default", prefetch=6, timeout=500)
    held = [wait_for(lambda: next(first)) for _ in range(6)]
    for delivery in held[:2] + held[3:]:
        first.ack(delivery)
    first.requeue(held[2:3])  # as dramatiq does with what waits when it stops
    first.close()

    # Kafka keeps one number: behind the lowest job that is not done, all are delivered again.
    second = broker.consume("default", prefetch=10, timeout=500)
    again = wait_for(lambda: next(second))
    assert again.args == (2,)
    second.close()


def test_the_position_never_passes_a_job_that_still_runs(broker: KafkaBroker) -> None:
    broker.declare_queue("default")
    for number in range(3):
        broker.enqueue(message(number, key="same partition"))
    consumer = broker.consume("default", prefetch=3, timeout=100)
    slow, *quick = [wait_for(lambda: next(consumer)) for _ in range(3)]
    for delivery in quick:
        consumer.ack(delivery)
    next(consumer)
    next(consumer)
    assert committed_position(broker, "default") == 0
    consumer.ack(slow)
    wait_for(lambda: (next(consumer), committed_position(broker, "default"))[1] == 3)
    consumer.close()


def test_acks_of_an_older_consumer_are_harmless(broker: KafkaBroker) -> None:
    broker.declare_queue("default")
    broker.enqueue(message(1))
    first = broker.consume("default", timeout=200)
    old = wait_for(lambda: next(first))
    first.close()
    second = broker.consume("default", timeout=200)
    wait_for(lambda: next(second))
    second.ack(old)
    second.ack(old)
    next(second)
    assert committed_position(broker, "default") == 0
    second.close()


def test_a_consumer_that_is_busy_for_long_stays_in_its_group(broker: KafkaBroker) -> None:
    broker.declare_queue("default")
    broker.enqueue(message(1))
    consumer = broker.consume("default", prefetch=1, timeout=100)
    held = wait_for(lambda: next(consumer))
    membership = consumer._assignment._client.group_metadata()
    for _ in range(10):
        assert next(consumer) is None
    assert consumer._assignment._client.group_metadata() == membership
    consumer.ack(held)
    consumer.close()


# -- dead letters


def test_a_failed_job_becomes_a_dead_letter_before_its_offset_is_done(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None:
        raise ValueError(f"no {number}")

    sent = work.send(7)
    start_worker(broker)
    broker.join("default", timeout=60_000)
    (letter,) = letters_of(broker)
    assert letter.reason is Reason.FAILED
    assert (letter.message_id, letter.actor, letter.queue) == (sent.message_id, "work", "default")
    assert letter.value == sent.encode()
    assert (letter.exception_type, letter.exception_message) == ("builtins.ValueError", "no 7")
    assert "raise ValueError" in (letter.traceback or "")
    assert letter.origin.topic == broker.topics.jobs("default")
    assert letter.group == broker.topics.group("default")


def test_a_failed_job_whose_retry_cannot_be_sent_becomes_a_dead_letter(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    @dramatiq.actor(broker=broker)
    def work() -> None:
        raise dramatiq.errors.Retry("no", delay=367 * 86_400_000)

    sent = work.send()
    start_worker(broker)
    broker.join("default", timeout=60_000)
    (letter,) = letters_of(broker)
    assert (letter.message_id, letter.exception_message) == (sent.message_id, "no")


def test_a_job_whose_callback_cannot_be_sent_becomes_a_dead_letter(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    @dramatiq.actor(broker=broker, max_retries=0)
    def told(message: object, result: object) -> None: ...

    @dramatiq.actor(broker=broker, max_retries=0)
    def work() -> str:
        return "x" * MAX_JOB_BYTES

    work.send_with_options(on_success=told)
    start_worker(broker)
    broker.join("default", timeout=60_000)
    (letter,) = letters_of(broker)
    assert letter.actor == "work"
    assert "MessageTooLarge" in (letter.exception_type or "")


def test_the_arguments_of_a_failed_job_are_not_in_the_log(
    broker: KafkaBroker, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    @dramatiq.actor(broker=broker, max_retries=0)
    def work(address: str) -> None:
        raise ValueError("no")

    sent = work.send("ana@example.com")
    start_worker(broker)
    broker.join("default", timeout=60_000)
    assert f"Failed to process message work {sent.message_id} with unhandled exception" in caplog.text
    assert "ana@example.com" not in caplog.text


@pytest.mark.parametrize("options", [{"max_retries": "many"}, {"retries": None}])
def test_a_failed_job_that_nobody_sends_again_becomes_a_dead_letter(
    broker: KafkaBroker, start_worker: StartWorker, options: dict[str, Any]
) -> None:
    """dramatiq logs that its Retries middleware stumbles over the options, and would ack the job."""

    @dramatiq.actor(broker=broker)
    def work() -> None:
        raise ValueError("no")

    broker.enqueue(work.message().copy(options=options))
    worker = start_worker(broker)
    broker.join("default", timeout=60_000)
    (letter,) = letters_of(broker)
    assert (letter.reason, letter.exception_message) == (Reason.FAILED, "no")
    assert all(thread.is_alive() for thread in worker.workers)


def test_without_a_retries_middleware_a_failed_job_becomes_a_dead_letter(
    cluster: Cluster, namespace: str, start_worker: StartWorker
) -> None:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1, middleware=[])

    @dramatiq.actor(broker=broker)
    def work() -> None:
        raise ValueError("no")

    work.send()
    worker = start_worker(broker)
    broker.join("default", timeout=60_000)
    worker.stop()
    assert [letter.exception_message for letter in letters_of(broker)] == ["no"]
    broker.close()


def test_poison_goes_to_the_dead_letters_and_the_partition_moves_on(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    ran: list[int] = []

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None:
        ran.append(number)

    broker.prepare()
    topic = broker.topics.jobs("default")
    poison = [b"\xff\xfe not json", b"{}", b"null", b""]
    for number, value in enumerate(poison):
        work.send_with_options(args=(number,), key="one partition")
        broker.producer.deliver(topic, envelope.Record(b"one partition", value, [("from", b"elsewhere")]))
    start_worker(broker, threads=1)
    broker.join("default", timeout=60_000)
    assert ran == [0, 1, 2, 3]
    letters = letters_of(broker)
    assert sorted(letter.value or b"" for letter in letters) == sorted(poison)
    assert {letter.reason for letter in letters} == {Reason.UNDECODABLE}
    assert {letter.job_headers for letter in letters} == {(("from", b"elsewhere"),)}
    assert {letter.job_key for letter in letters} == {b"one partition"}


def test_a_job_for_an_unknown_actor_becomes_a_dead_letter(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    broker.declare_queue("default")
    broker.enqueue(dramatiq.Message("default", "nobody", (), {}, {}))
    start_worker(broker)
    broker.join("default", timeout=60_000)
    (letter,) = letters_of(broker)
    assert (letter.reason, letter.actor) == (Reason.UNKNOWN_ACTOR, "nobody")


def test_a_job_for_an_unknown_actor_holds_up_no_other_while_its_dead_letter_cannot_be_written(
    broker: KafkaBroker, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []
    given_up: list[str] = []
    refused: list[str] = []

    class Notes(dramatiq.Middleware):
        def after_nack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
            given_up.append(message.actor_name)

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None:
        ran.append(number)

    def refuse(topic: str, *args: Any, **options: Any) -> Any:
        if topic == broker.topics.dead_letters:
            refused.append(topic)
            raise KafkaUnreachable
        return send(topic, *args, **options)

    send = broker.producer.send
    broker.add_middleware(Notes())
    broker.enqueue(dramatiq.Message("default", "nobody", (), {}, {}))
    broker.enqueue(work.message(1))
    monkeypatch.setattr(broker.producer, "send", refuse)
    worker = start_worker(broker)
    wait_for(lambda: ran and len(refused) > 1)
    assert given_up == ["nobody"]
    began_at = time.monotonic()
    worker.stop()
    assert time.monotonic() - began_at < 120
    monkeypatch.undo()
    start_worker(broker)
    broker.join("default", timeout=60_000)
    (letter,) = letters_of(broker)
    assert (letter.reason, letter.actor) == (Reason.UNKNOWN_ACTOR, "nobody")
    assert ran == [1]


def test_a_job_that_is_too_old_becomes_a_dead_letter(broker: KafkaBroker, start_worker: StartWorker) -> None:
    @dramatiq.actor(broker=broker, max_retries=0, max_age=1000)
    def work() -> None: ...

    broker.enqueue(work.message().copy(message_timestamp=1_000))
    start_worker(broker)
    broker.join("default", timeout=60_000)
    (letter,) = letters_of(broker)
    assert letter.reason is Reason.EXPIRED


def test_a_message_that_names_another_queue_is_run_and_kills_no_thread(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    ran: list[int] = []

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None:
        ran.append(number)

    broker.prepare()
    stray = envelope.encode(work.message(1).copy(queue_name="elsewhere"))
    for _ in range(8):
        broker.producer.deliver(broker.topics.jobs("default"), stray)
    worker = start_worker(broker)
    broker.join("default", timeout=60_000)
    assert ran == [1] * 8
    assert all(thread.is_alive() for thread in worker.workers)


def test_topics_are_made_as_their_specs_say(broker: KafkaBroker, cluster: Cluster) -> None:
    broker.declare_queue("default")
    broker.prepare()
    with connect_admin(cluster) as admin:
        names = [broker.topics.jobs("default"), broker.topics.dead_letters]
        described = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(names)}
    assert described == dict.fromkeys(names, 2)


# -- flush


def test_flush_drops_the_dead_letters_of_the_queue_and_no_others(
    broker: KafkaBroker, start_worker: StartWorker
) -> None:
    def fail() -> None:
        raise ValueError("no")

    for queue in ("one", "two"):
        dramatiq.actor(broker=broker, queue_name=queue, actor_name=queue, max_retries=0)(fail).send()
    worker = start_worker(broker)
    wait_for(lambda: len(letters_of(broker)) == 2)
    worker.stop()
    broker.flush("one")
    counts = Counts(broker.cluster, broker.topics.dead_letters)
    assert counts.count() == {"two": 1}
    broker.flush_all()
    assert counts.count() == {}
