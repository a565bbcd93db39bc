"""Delayed jobs outlive what moves them and what keeps them: SIGKILL, and a Kafka that restarts."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import dramatiq
import pytest
from dramatiq import Worker

from tests.apps.delays import TIERS
from tests.helpers.kafka_reading import letters_of, members_of, read_topic
from tests.helpers.programs import StartedProgram, start_todo_workers
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.delays import waiting_jobs as delayed
from workers.delays.tiers import MARGIN_MS
from workers.local_kafka.server import LocalKafka

JOBS = 100
_, HALF = TIERS
StartMover = Callable[[int], StartedProgram]


@pytest.fixture
def start_mover(cluster: Cluster, namespace: str) -> Iterator[StartMover]:
    started: list[StartedProgram] = []

    def start(commit_interval_ms: int) -> StartedProgram:
        env = {
            "DELAYS_BOOTSTRAP_SERVERS": cluster.address,
            "DELAYS_NAMESPACE": namespace,
            "DELAYS_COMMIT_INTERVAL_MS": str(commit_interval_ms),
        }
        started.append(start_todo_workers("mover", "--app", "tests.apps.delays", env=env))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def hops_of(delay_ms: int) -> int:
    """How often a job moves at most: out of the longer tier as often as that fits, then out of the last."""
    return (max(0, delay_ms - MARGIN_MS) // HALF.wait_ms) + 1


def test_a_mover_killed_between_produce_and_commit_loses_none_and_repeats_only_what_it_had_moved(
    cluster: Cluster, namespace: str, start_mover: StartMover
) -> None:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=2, delay_tiers=TIERS)
    broker.declare_queue("default")
    broker.prepare()
    killed = start_mover(3_600_000)  # after its first commit it makes no other
    wait_for(lambda: members_of(cluster, broker.topics.movers))
    hops: dict[bytes, int] = {}
    with broker.batch():
        for number in range(JOBS):
            message = dramatiq.Message[None]("default", "note", (number,), {}, {})
            # Some are moved before the kill, some wait in both tiers.
            broker.enqueue(message, delay=50 * number)
            hops[message.message_id.encode()] = hops_of(50 * number)

    def moved() -> Counter[bytes]:
        return Counter(record.key for record in read_topic(cluster, broker.topics.jobs("default")))

    wait_for(lambda: len(moved()) > JOBS // 4, timeout_s=60)
    killed.kill()
    killed.wait()
    before = moved()
    successor = start_mover(50)
    wait_for(lambda: len(moved()) == JOBS, timeout_s=60)
    wait_for(lambda: not list(delayed.read(cluster, broker.topics, TIERS)), timeout_s=60)
    successor.send_signal(signal.SIGTERM)
    assert successor.wait(30) == 0
    after = moved()
    broker.close()
    # Each hop that the killed mover did and did not commit is done once more.
    assert not {key: times for key, times in after.items() if times > 1 + hops[key]}
    repeated = {key for key, times in after.items() if times > 1}
    assert repeated & before.keys(), "the mover was killed when all was committed, which shows nothing"
    assert len(repeated) < JOBS, "the mover was killed too late to show anything"


@pytest.mark.long
def test_delayed_jobs_and_unwritten_dead_letters_wait_for_a_kafka_that_restarts(
    namespace: str, tmp_path: Path
) -> None:
    ran: dict[int, float] = {}
    with LocalKafka(data_dir=tmp_path) as kafka:
        port = int(kafka.bootstrap_servers.rpartition(":")[2])
        cluster = Cluster((kafka.bootstrap_servers,), connect_timeout_s=2, send_timeout_s=3)
        broker = KafkaBroker(
            cluster, namespace=namespace, partitions=2, commit_interval_ms=50, delay_tiers=TIERS
        )
        failing = True

        @dramatiq.actor(broker=broker)
        def note(number: int) -> None:
            ran[number] = time.time()

        @dramatiq.actor(broker=broker, queue_name="doomed", max_retries=0)
        def fail() -> None:
            wait_for(lambda: not failing, timeout_s=60)
            raise ValueError("for good")

        due = {number: time.time() + 0.5 + 0.3 * number for number in range(40)}
        for number, at in due.items():
            note.send_with_options(args=(number,), delay=max(0, int((at - time.time()) * 1000)))
        doomed = fail.send()
        worker = Worker(broker, worker_timeout=50, worker_threads=2)
        worker.start()
        try:
            wait_for(lambda: len(ran) >= 3)
            kafka.stop()
            failing = False  # its dead letter cannot be written now
            with LocalKafka(port=port, data_dir=tmp_path):
                wait_for(lambda: len(ran) == len(due), timeout_s=100)
                (letter,) = wait_for(lambda: letters_of(broker), timeout_s=60)
                broker.join("doomed", timeout=60_000)
                worker.stop()
                broker.close()
        finally:
            worker.stop()
    assert letter.id == doomed.message_id
    assert all(at >= due[number] - 0.002 for number, at in ran.items())
