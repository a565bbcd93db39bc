"""The history of a real worker: written as it ends, read by another process, added up over restarts."""

from __future__ import annotations

import json

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.cli import stats as command
from workers.stats.reader import StatsReader


def run(cluster: Cluster, namespace: str, jobs: int) -> None:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=2, commit_interval_ms=50)

    @dramatiq.actor(broker=broker, queue_name="letters", actor_name="write", max_retries=0)
    def write(number: int) -> None:
        if number == 0:
            raise ValueError("told on purpose")

    for number in range(jobs):
        write.send(number)
    worker = Worker(broker, worker_threads=2)
    worker.start()
    try:
        broker.join("letters", timeout=60_000)
    finally:
        worker.stop()
        broker.close()


def test_what_two_workers_did_one_after_the_other_is_in_one_history(
    cluster: Cluster, namespace: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(cluster, namespace, 5)
    broker = KafkaBroker(cluster, namespace=namespace)
    with StatsReader(cluster, broker.topics.stats) as reader:
        wait_for(lambda: reader.read().totals("detail"))
        assert reader.read().totals("detail")["letters", "write"].done == 4
        run(cluster, namespace, 3)
        counts = wait_for(lambda: reader.read().totals("coarse").get(("letters", "write")))
        wait_for(lambda: reader.read().totals("coarse")["letters", "write"].ended == 8)
        counts = reader.read().totals("coarse")["letters", "write"]
        assert (counts.done, counts.dead) == (6, 2)
        assert 0 < (counts.duration_s(0.95) or 0) < 30
        assert 0 < (counts.wait_s(0.95) or 0) < 60

    monkeypatch.setattr(command, "load_broker", lambda _: broker)
    command.show(None, grain="detail", queue=None, actor=None, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert [(row["queue"], row["actor"], row["done"], row["dead"]) for row in shown["totals"]] == [
        ("letters", "write", 6, 2)
    ]
    assert sum(slot["done"] for slot in shown["slots"]) == 6
    command.show(None, grain="detail", queue="letters", actor=None, as_json=False)
    assert "write" in capsys.readouterr().out
    command.show(None, grain="coarse", queue="elsewhere", actor=None, as_json=False)
    assert "no job ended in the last thirty days" in capsys.readouterr().out


def test_no_worker_no_history(cluster: Cluster, namespace: str) -> None:
    broker = KafkaBroker(cluster, namespace=namespace)
    with StatsReader(cluster, broker.topics.stats) as reader:
        history = reader.read()
    assert history.totals("coarse") == {}
    assert len(history.slots("detail")) == 60
