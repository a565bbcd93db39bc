"""A queue is paused while its jobs run, in several processes: once they have confirmed, none starts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.kafka_reading import committed_position, letters_of, read_topic
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.controls.controls import Change, Confirmation
from workers.records.envelope import Record

StartWorker = Callable[..., Worker]
JOBS = 1_200


class Fleet:
    """Processes that run short jobs of two queues, one of them urgent, and note when each starts."""

    def __init__(self, cluster: Cluster, namespace: str, start_worker: StartWorker, size: int = 3) -> None:
        self.started: list[float] = []
        self.ran: Counter[int] = Counter()
        self.others: Counter[int] = Counter()
        self._cluster, self._namespace, self._start = cluster, namespace, start_worker
        self.brokers: list[KafkaBroker] = []
        self.workers: list[Worker] = []
        for _ in range(size):
            self.add()

    def add(self) -> KafkaBroker:
        broker = KafkaBroker(self._cluster, namespace=self._namespace, partitions=4, commit_interval_ms=50)

        @dramatiq.actor(broker=broker, actor_name="work", queue_name="mail", max_retries=0, priority=5)
        def work(number: int) -> None:
            self.started.append(time.monotonic())
            time.sleep(0.005)  # a job that does something
            self.ran[number] += 1

        @dramatiq.actor(broker=broker, actor_name="other", queue_name="other", max_retries=0)
        def other(number: int) -> None:
            self.others[number] += 1

        self.brokers.append(broker)
        self.workers.append(self._start(broker, threads=3))
        return broker

    def send(self, actor: str, numbers: range, **options: int) -> None:
        queue = "mail" if actor == "work" else "other"
        with self.brokers[0].batch():
            for number in numbers:
                self.brokers[0].enqueue(dramatiq.Message(queue, actor, (number,), {}, {}), **options)

    def confirmed(self, change: Change) -> Confirmation:
        found = self.brokers[0].controls.wait_confirmed(change, 20)
        assert found.is_complete, found
        return found


@pytest.fixture
def fleet(cluster: Cluster, namespace: str, start_worker: StartWorker) -> Iterator[Fleet]:
    made = Fleet(cluster, namespace, start_worker)
    yield made
    for worker, broker in zip(made.workers, made.brokers, strict=True):
        worker.stop()
        broker.close()


def test_once_all_have_confirmed_no_job_of_the_queue_starts_and_none_is_lost(fleet: Fleet) -> None:
    controls = fleet.brokers[0].controls
    fleet.send("work", range(JOBS))
    wait_for(lambda: len(fleet.started) > 100)
    found = fleet.confirmed(controls.pause("mail", who="ann", why="the mail server is down"))
    confirmed_at = time.monotonic()
    assert str(found) == "3 of 3 workers have confirmed"
    # Jobs of others go on, one that becomes due meanwhile waits, and so does one in a process that starts.
    fleet.send("work", range(JOBS, JOBS + 1), delay=200)
    fleet.send("other", range(50))
    wait_for(lambda: len(fleet.others) == 50)
    fleet.add()
    mail = controls.gate, fleet.brokers[0].topics.jobs("mail")
    wait_for(lambda: len(read_topic(fleet.brokers[0].cluster, mail[1])) == JOBS + 1)
    wait_for(lambda: len(controls.fleet()) == 4)
    wait_for(lambda: not sum(process.in_hand for process in controls.fleet()))
    assert [at for at in fleet.started if at > confirmed_at] == []
    assert len(fleet.started) < JOBS
    wait_for(lambda: committed_position(fleet.brokers[0], "mail") > 0)

    fleet.confirmed(controls.resume("mail", who="ann"))
    wait_for(lambda: len(fleet.ran) == JOBS + 1, timeout_s=60)
    assert fleet.ran == dict.fromkeys(range(JOBS + 1), 1)
    assert letters_of(fleet.brokers[0]) == []
    # Nothing was rewritten.
    assert len(read_topic(fleet.brokers[0].cluster, mail[1])) <= JOBS + 1


def test_a_pause_ends_by_itself_and_holds_for_a_worker_that_starts(
    cluster: Cluster, namespace: str, start_worker: StartWorker
) -> None:
    fleet = Fleet(cluster, namespace, start_worker, size=0)
    sender = KafkaBroker(cluster, namespace=namespace, partitions=4)
    ends_at = time.monotonic() + 8
    change = sender.controls.pause("mail", who="ann", for_s=8)
    assert str(sender.controls.wait_confirmed(change)).startswith("no worker runs")
    fleet.add()
    fleet.send("work", range(20))
    wait_for(lambda: len(fleet.ran) == 20)
    assert min(fleet.started) > ends_at - 0.05
    sender.close()
    fleet.workers[0].stop()
    fleet.brokers[0].close()
    wait_for(lambda: fleet.brokers[0].controls.fleet() == [])


def test_garbage_in_the_control_topic_stops_no_worker_and_is_reported(fleet: Fleet) -> None:
    broker = fleet.brokers[0]
    fleet.confirmed(broker.controls.pause("mail", who="ann"))
    for key, value in ((b"queue/mail", b"{"), (b"\xff\x00", b"x"), (b"switch/1", b"[]")):
        broker.producer.deliver(broker.topics.control, _record(key, value))
    change = broker.controls.pause("other", who="ann")
    fleet.confirmed(change)
    state = broker.controls.state()
    assert set(state.pauses) == {"mail", "other"}
    assert len(state.problems) == 3
    assert broker.controls.gate.state.problems == state.problems


def _record(key: bytes | None, value: bytes) -> Record:
    return Record(key, value, [("who", b"\xff"), ("until", b"soon")])
