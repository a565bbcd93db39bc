"""Delayed jobs, on a real Kafka with short tiers."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import dramatiq
import pytest
from dramatiq import Worker
from dramatiq.errors import QueueJoinTimeout
from kafka.future import Future

from tests.helpers.dying import dies
from tests.helpers.kafka_reading import letters_of, members_of, read_topic
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.broker import kafka_broker
from workers.dead_letters.letter import Reason
from workers.delays import waiting_jobs as delayed
from workers.delays.mover import Mover
from workers.delays.mover_thread import MoverThread
from workers.delays.tiers import Tier
from workers.errors import DelayTooLong, KafkaUnreachable
from workers.kafka.producing.producer import DurableProducer
from workers.middleware.runs_mover import RunsMover
from workers.records.envelope import Record
from workers.runtime.health import HealthFile

TIERS = (Tier("soon", 0), Tier("half", 500), Tier("two", 2_000))
MakeBroker = Callable[..., KafkaBroker]
Ran = list[tuple[int, float]]


@pytest.fixture
def make_broker(cluster: Cluster, namespace: str) -> Iterator[MakeBroker]:
    made: list[KafkaBroker] = []

    def make(**options: Any) -> KafkaBroker:
        defaults: dict[str, Any] = {"partitions": 2, "commit_interval_ms": 50, "delay_tiers": TIERS}
        made.append(KafkaBroker(cluster, namespace=namespace, **defaults | options))
        return made[-1]

    yield make
    for broker in made:
        broker.close()


@pytest.fixture
def broker(make_broker: MakeBroker) -> KafkaBroker:
    return make_broker()


@pytest.fixture
def ran(broker: KafkaBroker) -> Ran:
    """Declares ``note``, and holds what it was called with and when."""
    calls: Ran = []

    @dramatiq.actor(broker=broker, actor_name="note")
    def note(number: int) -> None:
        calls.append((number, time.time()))

    return calls


def note(number: int = 0, **options: Any) -> dramatiq.Message[None]:
    return dramatiq.Message("default", "note", (number,), {}, options)


def move_until(mover: Mover, condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        mover.step(0.05)


def test_jobs_run_at_their_time_never_early_and_through_all_tiers(
    broker: KafkaBroker, ran: Ran, start_worker: Callable[..., Worker]
) -> None:
    start_worker(broker)
    due: dict[int, float] = {}
    for number, delay_ms in enumerate([50, 700, 1_700, 3_900]):
        due[number] = time.time() + delay_ms / 1000
        broker.enqueue(note(number), delay=delay_ms)
    wait_for(lambda: len(ran) == len(due))
    assert sorted(number for number, _ in ran) == [0, 1, 2, 3]
    assert all(at >= due[number] for number, at in ran)
    # What leaves a tier and is due soon waits for that in the mover's memory, and not in the last tier.
    soon, half, two = (len(read_topic(broker.cluster, broker.topics.delay(tier.name))) for tier in TIERS)
    assert (soon, two) == (2, 1)
    assert half in {1, 2}  # a mover that comes late finds no time left for the job of the longest tier there
    broker.join("default", timeout=60_000)


@pytest.mark.parametrize("skew_s", [-60, 60])
def test_a_job_is_neither_early_nor_late_where_the_senders_clock_is_wrong(
    broker: KafkaBroker,
    ran: Ran,
    start_worker: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
    skew_s: int,
) -> None:
    start_worker(broker)
    clock = Mock(wraps=time, time_ns=lambda: time.time_ns() + skew_s * 1_000_000_000)
    monkeypatch.setattr(kafka_broker, "time", clock)
    due = time.time() + 1.5
    broker.enqueue(note(), delay=1_500)
    wait_for(lambda: ran)
    assert due <= ran[0][1] < due + 10


def test_what_the_movers_memory_does_not_hold_goes_down_to_the_last_tier(
    make_broker: MakeBroker,
) -> None:
    broker = make_broker(run_mover=False)
    ran: Ran = []

    @dramatiq.actor(broker=broker, actor_name="note")
    def note_it(number: int) -> None:
        ran.append((number, time.time()))

    thread = MoverThread(lambda: broker.make_mover(max_ahead_bytes=0), broker.memberships)
    thread.start()
    wait_for(lambda: members_of(broker.cluster, broker.topics.movers))
    with broker.batch():
        for number in range(20):  # wherever the mover stands still, some have enough time left for that tier
            broker.enqueue(note(number), delay=2_500 + 100 * number)
    worker = Worker(broker, worker_timeout=50, worker_threads=4)
    worker.start()
    try:
        wait_for(lambda: len(ran) >= 20)
        broker.join("default", timeout=60_000)
        assert sorted(number for number, _ in ran) == list(range(20))
        assert len(read_topic(broker.cluster, broker.topics.delay("soon"))) > 0
    finally:
        thread.stop()
        thread.join(30)
        worker.stop()


def test_more_jobs_than_one_poll_reads_leave_a_tier_and_all_run(
    broker: KafkaBroker, ran: Ran, start_worker: Callable[..., Worker]
) -> None:
    due = time.time() + 6
    with broker.batch():
        for number in range(2_500):
            broker.enqueue(note(number), delay=max(1, int((due - time.time()) * 1000)))
    start_worker(broker)
    wait_for(lambda: len(ran) >= 2_500, timeout_s=40)
    broker.join("default", timeout=60_000)
    assert sorted(number for number, _ in ran) == list(range(2_500))
    assert all(at >= due - 0.01 for _, at in ran)


def test_a_delayed_message_is_received_as_it_was_sent(broker: KafkaBroker, ran: Ran) -> None:
    sent = note(1, key="k")
    before_ms = int(time.time() * 1000)
    broker.enqueue(sent, delay=100)
    mover = broker.make_mover()
    consumer = broker.consume("default", timeout=50)
    received: list[Any] = []

    def arrived() -> list[Any]:
        received.extend(filter(None, [next(consumer)]))
        return received

    try:
        move_until(mover, arrived)
        assert received[0] == sent
        headers = dict(received[0].record.headers)
        assert before_ms + 100 <= int(headers["eta"]) <= int(time.time() * 1000)
        assert received[0].record.key == b"k"
    finally:
        consumer.close()
        mover.close()


def test_batches_and_asyncio_delay_too(
    broker: KafkaBroker, ran: Ran, start_worker: Callable[..., Worker]
) -> None:
    sent_at = time.time()
    with broker.batch():
        for number in range(20):
            broker.enqueue(note(number), delay=300)
    asyncio.run(broker.enqueue_async(note(20), delay=300))
    start_worker(broker)
    wait_for(lambda: len(ran) == 21)
    assert all(at - sent_at >= 0.3 for _, at in ran)


def test_what_is_due_goes_straight_to_its_queue(broker: KafkaBroker, ran: Ran) -> None:
    broker.enqueue(note(1), delay=-1_000)
    broker.enqueue(note(2), delay=0)
    assert len(read_topic(broker.cluster, broker.topics.jobs("default"))) == 2
    assert list(delayed.read(broker.cluster, broker.topics, TIERS)) == []


def test_a_delay_beyond_the_limit_is_refused_and_nothing_is_sent(make_broker: MakeBroker) -> None:
    broker = make_broker(max_delay_ms=60_000)
    broker.declare_queue("default")
    with pytest.raises(DelayTooLong, match="WORKER_MAX_DELAY"):
        broker.enqueue(note(), delay=60_001)
    broker.prepare()
    assert list(delayed.read(broker.cluster, broker.topics, TIERS)) == []
    broker.enqueue(note(7), delay=60_000)
    (job,) = delayed.read(broker.cluster, broker.topics, TIERS)
    assert (job.queue, job.actor, job.tier) == ("default", "note", "two")
    assert job.message_id is not None


def test_join_waits_for_delayed_jobs_and_flush_drops_those_of_its_queue(
    broker: KafkaBroker, ran: Ran
) -> None:
    broker.declare_queue("other")
    for number in range(3):
        broker.enqueue(note(number), delay=60_000)
    kept = dramatiq.Message[None]("other", "note", (9,), {}, {})
    broker.enqueue(kept, delay=60_000)
    with pytest.raises(QueueJoinTimeout, match="3 messages"):
        broker.join("default", timeout=100)
    broker.flush("default")
    broker.join("default", timeout=60_000)
    (left,) = delayed.read(broker.cluster, broker.topics, TIERS)
    assert left.message_id == kept.message_id
    broker.flush_all()
    assert list(delayed.read(broker.cluster, broker.topics, TIERS)) == []


def test_a_flush_moves_no_due_time_of_another_queue_and_loses_nothing_that_cannot_be_read(
    broker: KafkaBroker, ran: Ran
) -> None:
    broker.declare_queue("other")
    broker.enqueue(dramatiq.Message("other", "note", (9,), {}, {}), delay=60_000)
    (before,) = delayed.read(broker.cluster, broker.topics, TIERS)
    topic = before.record.topic
    broker.producer.deliver(topic, Record(b"key", b"?", [("eta", b"soon"), ("queue", b"other")]))
    broker.enqueue(note(), delay=60_000)
    broker.flush("default")
    (after,) = delayed.read(broker.cluster, broker.topics, TIERS)
    assert (after.queue, after.message_id) == ("other", before.message_id)
    assert after.record.timestamp > before.record.timestamp
    assert after.eta_ms == before.eta_ms
    (letter,) = letters_of(broker)
    assert (letter.reason, letter.queue, letter.value) == (Reason.UNDECODABLE, "other", b"?")


@pytest.mark.parametrize("eta", [b"soon", b"-" + b"9" * 400])
def test_what_is_no_delayed_job_becomes_a_dead_letter_and_holds_up_nothing(
    broker: KafkaBroker, ran: Ran, start_worker: Callable[..., Worker], eta: bytes
) -> None:
    broker.prepare()
    with_bad_eta = Record(b"key", b"?", [("eta", eta), ("queue", b"default")])
    for tier in TIERS:
        broker.producer.deliver(broker.topics.delay(tier.name), with_bad_eta)
    broker.enqueue(note(1), delay=100)
    start_worker(broker)
    wait_for(lambda: len(ran) == 1)
    letters = wait_for(lambda: found if len(found := letters_of(broker)) == 3 else None)
    assert {letter.reason for letter in letters} == {Reason.UNDECODABLE}
    assert {letter.value for letter in letters} == {b"?"}


def test_a_mover_that_ends_between_produce_and_commit_loses_nothing(make_broker: MakeBroker) -> None:
    broker = make_broker(commit_interval_ms=3_600_000)
    broker.declare_queue("default")
    for number in range(10):
        broker.enqueue(note(number), delay=200)

    def moved() -> int:
        return len(read_topic(broker.cluster, broker.topics.jobs("default")))

    crashed = broker.make_mover()
    move_until(crashed, lambda: moved() == 10)
    dies(crashed)
    successor = broker.make_mover()
    move_until(successor, lambda: moved() == 20)
    successor.close()
    ids = {record.key for record in read_topic(broker.cluster, broker.topics.jobs("default"))}
    assert len(ids) == 10
    assert list(delayed.read(broker.cluster, broker.topics, TIERS)) == []


def test_movers_share_the_work_and_one_that_leaves_repeats_nothing(make_broker: MakeBroker) -> None:
    brokers = [make_broker() for _ in range(2)]
    for broker in brokers:
        broker.declare_queue("default")
    with brokers[0].batch():
        for number in range(400):
            brokers[0].enqueue(note(number), delay=500 + 10 * number)
    first, second = (MoverThread(broker.make_mover, broker.memberships) for broker in brokers)
    first.start()
    second.start()

    def moved() -> int:
        return len(read_topic(brokers[0].cluster, brokers[0].topics.jobs("default")))

    wait_for(lambda: moved() > 50 and first.is_healthy and second.is_healthy)
    first.stop()
    first.join(30)
    assert not first.is_healthy
    wait_for(lambda: moved() >= 400)
    second.stop()
    second.join(30)
    assert moved() == 400


class SlowToConfirm:
    """A producer whose confirmations come late."""

    def __init__(self, producer: DurableProducer, delay_s: float) -> None:
        self._producer = producer
        self._delay_s = delay_s

    def send(self, topic: str, record: Record) -> Future:
        late = Future()

        def confirm(result: Any) -> None:
            threading.Timer(self._delay_s, late.success, (result,)).start()

        self._producer.send(topic, record).add_callback(confirm)
        return late

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)


def test_a_mover_that_leaves_waits_for_the_confirmation_of_what_it_has_produced(
    make_broker: MakeBroker,
) -> None:
    broker = make_broker()
    broker.declare_queue("default")
    for number in range(10):
        broker.enqueue(note(number), delay=200)

    def moved() -> int:
        return len(read_topic(broker.cluster, broker.topics.jobs("default")))

    leaving = broker.make_mover()
    leaving._producer = SlowToConfirm(broker.producer, 0.5)  # type: ignore[assignment]
    move_until(leaving, lambda: leaving._in_flight == 10)
    leaving.close()
    assert list(delayed.read(broker.cluster, broker.topics, TIERS)) == []
    assert moved() == 10


def test_what_was_moved_leaves_the_log(make_broker: MakeBroker) -> None:
    broker = make_broker(trim_interval_ms=100)
    broker.declare_queue("default")
    broker.enqueue(note(1), delay=100)
    broker.enqueue(note(2), delay=60_000)
    mover = broker.make_mover()
    soon = broker.topics.delay("soon")
    move_until(mover, lambda: not read_topic(broker.cluster, soon))
    mover.close()
    assert [job.queue for job in delayed.read(broker.cluster, broker.topics, TIERS)] == ["default"]


def test_a_mover_that_fails_is_replaced(
    broker: KafkaBroker, ran: Ran, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [KafkaUnreachable("no way"), RuntimeError("a bug")]

    def make() -> Mover:
        if failures:
            raise failures.pop(0)
        return broker.make_mover()

    thread = MoverThread(make, broker.memberships, restart_delay_s=0.01)
    healthy_before = thread.is_healthy
    thread.start()
    try:
        broker.enqueue(note(1), delay=100)
        wait_for(lambda: read_topic(broker.cluster, broker.topics.jobs("default")))
        wait_for(lambda: thread.is_healthy)
    finally:
        thread.stop()
        thread.join(30)
    assert not healthy_before
    of_mover = [record for record in caplog.records if record.name == "workers.delays.mover_thread"]
    logged = [record.getMessage() for record in of_mover]
    assert logged == [
        "mover failed, another starts in 0.01 s: no way",
        "mover failed, another starts in 0.01 s",
    ]


def test_a_worker_process_is_well_only_while_its_mover_runs(
    make_broker: MakeBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = make_broker(health_dir=tmp_path / "health")
    broker.declare_queue("default")
    (runs_mover,) = [one for one in broker.middleware if isinstance(one, RunsMover)]
    file = tmp_path / "health" / f"worker-{os.getpid()}"
    worker = Worker(broker, worker_timeout=50, worker_threads=1)
    worker.start()
    try:
        wait_for(lambda: runs_mover.is_healthy and file.exists())
        first = file.stat().st_mtime_ns
        wait_for(lambda: file.stat().st_mtime_ns > first)

        def broken(_mover: Mover, _max_wait_s: float) -> None:
            raise RuntimeError("a bug")

        with monkeypatch.context() as patched:
            patched.setattr(Mover, "step", broken)
            wait_for(lambda: not file.exists() and not runs_mover.is_healthy)
        wait_for(lambda: runs_mover.is_healthy and file.exists())
    finally:
        worker.stop()
    assert not file.exists()
    assert not runs_mover.is_healthy


def test_a_health_folder_that_cannot_be_made_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    written = HealthFile(tmp_path / "file" / "below", interval_s=0)
    for _ in range(3):
        written.is_well()
    written.is_not_well()
    assert [record.getMessage()[:23] for record in caplog.records][:1] == ["health file not written"]
    assert sum("not written" in record.getMessage() for record in caplog.records) == 1
