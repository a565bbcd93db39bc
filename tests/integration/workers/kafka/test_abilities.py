"""A Kafka that lacks parts of the protocol, or refuses them: it is told, and jobs run all the same."""

from __future__ import annotations

import logging
from collections.abc import Callable

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.lesser_kafka import DELETE_RECORDS, INIT_PRODUCER_ID, LesserKafka
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.kafka.abilities import lacks, tell_lacks

StartWorker = Callable[..., Worker]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the pool itself has logged."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("workers.")]


def test_all_is_there_on_a_whole_kafka(cluster: Cluster, namespace: str) -> None:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1)
    broker.declare_queue("default")
    broker.prepare()
    assert lacks(cluster, broker.topic_specs()) == []


def test_without_deletion_and_producer_ids_jobs_run_and_both_are_told(
    cluster: Cluster, namespace: str, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "workers")
    with LesserKafka(cluster, without=(DELETE_RECORDS, INIT_PRODUCER_ID)) as lesser:
        broker = KafkaBroker(
            lesser.cluster, namespace=namespace, partitions=1, commit_interval_ms=50, trim_interval_ms=50
        )
        ran: list[int] = []

        @dramatiq.actor(broker=broker)
        def note(number: int) -> None:
            ran.append(number)

        for number in range(20):
            note.send(number)
        (told,) = said(caplog)
        assert "gives the anonymous user no producer id, so records may be written twice" in told
        worker = start_worker(broker, threads=1)
        wait_for(lambda: ran == list(range(20)))
        wait_for(lambda: "its disk use grows" in caplog.text)
        tell_lacks(lesser.cluster, broker.topic_specs())
        assert "jobs that are done stay, and their topics grow; grant Delete, or set" in said(caplog)[-1]
        deletion, producers = lacks(lesser.cluster, broker.topic_specs())
        assert not deletion.is_made_up_for
        assert producers.text.startswith("no producer ids are given")
        bounded = KafkaBroker(lesser.cluster, namespace=namespace, jobs_retention_ms=86_400_000)
        bounded.declare_queue("default")
        (deletion, _) = lacks(lesser.cluster, bounded.topic_specs())
        assert deletion.is_made_up_for
        assert deletion.text.startswith("jobs are deleted by their age alone, done or not")
        worker.stop()
        broker.close()


def test_a_user_who_gets_no_producer_id_writes_all_the_same_and_in_order(
    cluster: Cluster, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    with LesserKafka(cluster, refuses_producers=True) as lesser:
        broker = KafkaBroker(lesser.cluster, namespace=namespace, partitions=1)

        @dramatiq.actor(broker=broker)
        def note(number: int) -> None: ...

        note.send(1)
        (told,) = said(caplog)
        assert "ClusterAuthorizationFailed" in told
        assert "grant IdempotentWrite on the cluster" in told
        (lack,) = lacks(lesser.cluster, broker.topic_specs())
        assert lack.is_made_up_for
        broker.close()
