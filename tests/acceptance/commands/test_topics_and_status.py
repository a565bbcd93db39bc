"""`todo-workers topics` and `status`, as an operator runs them, on a real Kafka."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.kafka_reading import letters_of, read_topic
from tests.helpers.other_services import foreign_producer
from tests.helpers.programs import Done, start_todo_workers, todo_workers
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.kafka import connect_admin

QUEUES = ("audit", "events", "notifications", "reminders")

Run = Callable[..., Done]


@pytest.fixture
def run(cluster: Cluster, namespace: str) -> Run:
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": cluster.address,
        "KAFKA_NAMESPACE": namespace,
        "KAFKA_PARTITIONS": "2",
    }

    return lambda *words, **more: todo_workers(*words, env=env | more)


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(
        cluster, namespace=namespace, partitions=2, commit_interval_ms=50, trim_interval_ms=3_600_000
    )
    for queue in QUEUES:
        broker.declare_queue(queue)
    yield broker
    broker.close()


def test_topics_are_missing_then_created_then_as_wanted(run: Run, namespace: str) -> None:
    missing = run("topics", "--check")
    assert missing.returncode == 1
    topics = missing.stdout.count("missing")
    # A log of events, nine tiers of delayed jobs, the dead letters, and a topic for each queue.
    assert topics >= 1 + 9 + 1 + 3
    created = run("topics")
    assert created.returncode == 0, created.stderr
    assert created.stdout.count("created") == topics
    assert "never expires" in created.stdout
    checked = run("topics", "--check", "--json")
    assert checked.returncode == 0
    found = json.loads(checked.stdout)
    assert {topic["state"] for topic in found} == {"ok"}
    assert [topic["topic"] for topic in found if topic["topic"].endswith("dead-letters")] == [
        f"{namespace}.dead-letters"
    ]


def test_what_differs_on_the_cluster_is_said(run: Run, broker: KafkaBroker) -> None:
    topic = broker.topics.jobs("audit")
    with connect_admin(broker.cluster) as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
    assert run("topics").returncode == 0
    checked = run("topics", "--check")
    assert checked.returncode == 1
    (line,) = (line for line in checked.stdout.splitlines() if topic in line)
    assert "partitions 1, wanted 2" in line
    assert "retention.ms=604800000, wanted -1" in line


def test_status_tells_what_runs_from_what_waits_and_names_the_oldest(run: Run, broker: KafkaBroker) -> None:
    release, started = threading.Event(), threading.Event()

    @dramatiq.actor(broker=broker, queue_name="audit", max_retries=0)
    def block(number: int) -> None:
        started.set()
        release.wait(60)

    oldest = block.send_with_options(args=(0,), key="same")
    worker = Worker(broker, queues={"audit"}, worker_timeout=100, worker_threads=1)
    worker.start()
    try:
        assert started.wait(30)
        for number in range(20):
            block.send_with_options(args=(number,), key="same")

        def audit() -> dict[str, Any]:
            read = run("status", "--json")
            assert read.returncode == 0, read.stderr
            found: dict[str, Any] = {queue["queue"]: queue for queue in json.loads(read.stdout)["queues"]}[
                "audit"
            ]
            return found

        shown = wait_for(lambda: found if (found := audit())["running"] else None)
        assert shown["running"] + shown["waiting"] == 21
        # dramatiq takes two jobs a thread into its memory
        assert 1 <= shown["running"] < 21
        assert (shown["partitions"], shown["consumers"]) == (2, 1)
        assert shown["oldest"]["message_id"] == oldest.message_id
        assert shown["oldest"]["actor"] == "block"
        assert shown["oldest"]["in_hand"]
        assert shown["oldest"]["age_s"] < 120

        line = next(line for line in run("status").stdout.splitlines() if line.strip().startswith("audit"))
        assert oldest.message_id in line
    finally:
        release.set()
        broker.join("audit", timeout=60_000)
        worker.stop()
    after = {queue["queue"]: queue for queue in json.loads(run("status", "--json").stdout)["queues"]}["audit"]
    assert (after["running"], after["waiting"], after["consumers"], after["oldest"]) == (0, 0, 0, None)
    assert after["untrimmed"] == 0


def test_status_watches_until_it_is_interrupted(broker: KafkaBroker, namespace: str) -> None:
    broker.prepare()
    env = {"KAFKA_BOOTSTRAP_SERVERS": broker.cluster.address, "KAFKA_NAMESPACE": namespace}
    with start_todo_workers("status", "--watch", "--json", env=env) as process:
        for _ in range(2):
            assert [queue["queue"] for queue in json.loads(process.stdout.readline())["queues"]] == list(
                QUEUES
            )
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_an_unknown_application_and_an_unreachable_kafka_are_one_line(run: Run, nowhere: str) -> None:
    unknown = run("status", "--app", "no.such.module")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1)
    assert "no module 'no.such.module'" in unknown.stderr
    not_ours = run("status", "--app", "json:loads")
    assert (not_ours.returncode, not_ours.stderr.count("\n")) == (1, 1)
    away = run("topics", "--check", KAFKA_BOOTSTRAP_SERVERS=nowhere, KAFKA_CONNECT_TIMEOUT_S="1")
    assert (away.returncode, away.stderr.count("\n")) == (1, 1)
    assert nowhere in away.stderr


def test_delayed_jobs_are_listed_by_their_due_time_and_counted(run: Run, broker: KafkaBroker) -> None:
    @dramatiq.actor(broker=broker, queue_name="audit")
    def remember(number: int) -> None: ...

    @dramatiq.actor(broker=broker, queue_name="events")
    def remind() -> None: ...

    later, sooner = (remember.send_with_options(args=(1,), delay=delay) for delay in (86_400_000, 7_200_000))
    remind.send_with_options(delay=90 * 86_400_000)
    shown = run("delayed", "list", "--json")
    assert shown.returncode == 0, shown.stderr
    found = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [job["message_id"] for job in found][:2] == [sooner.message_id, later.message_id]
    assert [(job["queue"], job["actor"], job["tier"]) for job in found] == [
        ("audit", "remember", "1h"),
        ("audit", "remember", "16h"),
        ("events", "remind", "12d"),
    ]
    one = run("delayed", "list", "--queue", "audit", "--limit", "1").stdout
    assert sooner.message_id in one
    assert later.message_id not in one
    assert "1 of 2 delayed jobs" in one
    assert remind.actor_name in run("delayed", "list", "--actor", "remind").stdout
    assert json.loads(run("status", "--json").stdout)["delayed"] == {
        "jobs": 3,
        "movers": 0,
        "unreadable": [],
    }
    assert "delayed: 3 in all queues, movers: 0; nobody moves them" in run("status").stdout


def test_status_counts_dead_letters_by_queue(run: Run, broker: KafkaBroker) -> None:
    @dramatiq.actor(broker=broker, queue_name="audit", max_retries=0)
    def fail() -> None:
        raise ValueError("no")

    @dramatiq.actor(broker=broker, queue_name="others", max_retries=0)
    def fail_elsewhere() -> None:
        raise ValueError("no")

    for actor in (fail, fail, fail_elsewhere):
        actor.send()
    worker = Worker(broker, worker_timeout=100, worker_threads=1)
    worker.start()
    wait_for(lambda: len(letters_of(broker)) == 3)
    worker.stop()
    shown = run("status", "--json")
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert found["dead_letters"] == {"audit": 2, "others": 1}
    counts = {queue["queue"]: queue["dead_letters"] for queue in found["queues"]}
    assert counts == dict.fromkeys(counts, 0) | {"audit": 2}
    text = run("status").stdout
    assert "dead letters of queues that are not declared here: 1 of others" in text


def test_a_mover_of_its_own_moves_what_is_due_and_stops_when_told(
    broker: KafkaBroker, namespace: str
) -> None:
    @dramatiq.actor(broker=broker, queue_name="audit")
    def remember() -> None: ...

    remember.send_with_options(delay=300)
    env = {"KAFKA_BOOTSTRAP_SERVERS": broker.cluster.address, "KAFKA_NAMESPACE": namespace}
    with start_todo_workers("mover", env=env) as process:
        assert f"moving the delayed jobs of {namespace}" in process.stdout.readline()
        wait_for(lambda: read_topic(broker.cluster, broker.topics.jobs("audit")))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_jobs_that_kafka_will_soon_delete_undone_are_told(run: Run, cluster: Cluster, namespace: str) -> None:
    kept = {"KAFKA_JOBS_RETENTION": "8d"}
    assert run("topics", **kept).returncode == 0
    assert run("topics", "--check", **kept).returncode == 0
    old = int(time.time() * 1000) - 7 * 86_400_000
    job: dramatiq.Message[None] = dramatiq.Message("audit", "note", (), {}, {})
    with foreign_producer(cluster) as producer:
        producer.send(f"{namespace}.jobs.audit", job.encode(), partition=0, timestamp_ms=old).get(30)
    told = "/0 at offset 0 is not done after 7.0 days, and Kafka deletes it in 24.0 hours"
    assert f"queue audit: {namespace}.jobs.audit{told}" in run("status").stdout
    (audit,) = (q for q in json.loads(run("status", "--json").stdout)["queues"] if q["queue"] == "audit")
    assert [record["retention_s"] for record in audit["expiring"]] == [8 * 86_400]
    examined = run("doctor", **kept)
    assert examined.returncode == 1
    assert told in examined.stdout
