"""`/metrics` and what an autoscaler asks for, on a real Kafka, called in this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from tests.helpers.waiting import wait_for
from tests.integration.web.conftest import SECRET, token_of
from web.access import Access
from web.keys import SecretKey
from web.measures import metrics_router, scaling_router
from workers import Cluster, KafkaBroker
from workers.measures.families import Family
from workers.serving.parts import Parts
from workers.serving.queue_gauges import QueueGauges

STATUS: dict[str, object] = {
    "clients": 3, "following": False, "ring_bytes": 10, "events": 5, "skipped": 0, "sent": 7, "resumed": 0,
    "scanned": 0, "resynced": 0, "too_slow": 1,
}  # fmt: skip


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=2)
    for queue in ("letters", "other"):
        broker.declare_queue(queue)
    broker.prepare()
    yield broker
    broker.close()


def served(*routers: Any) -> TestClient:
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    return TestClient(app)


def send(broker: KafkaBroker, queue: str, delay_s: float | None = None) -> None:
    delay = None if delay_s is None else delay_s * 1000
    broker.enqueue(dramatiq.Message(queue, "write", (), {}, {}), delay=delay)


def values(client: TestClient) -> dict[tuple[str, ...], float]:
    text = client.get("/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(one.name, *one.labels.values()): one.value for one in samples}


def test_an_autoscaler_sees_what_could_start_and_what_is_due_while_a_worker_starts(
    broker: KafkaBroker,
) -> None:
    client = served(scaling_router(broker, Access(SecretKey(SECRET), audience="todo")))

    def ask(queue: str, *roles: str) -> Any:
        return client.get(
            f"/queues/{queue}/scaling",
            headers={"authorization": f"Bearer {token_of('keda@x', roles=list(roles))}"},
        )

    for delay_s in (None, None, None, 10, 20, 3_600, 86_400):
        send(broker, "letters", delay_s)
    send(broker, "other", 5)
    found = ask("letters", "viewer").json()
    assert found["startable"] == 5
    assert 0 <= found["oldest_s"] < 60
    assert ask("other", "viewer").json() == {"startable": 1, "oldest_s": 0.0, "paused": False}
    assert ask("letters").status_code == 403
    assert client.get("/queues/letters/scaling").status_code == 401
    assert ask("leters", "viewer").status_code == 404

    broker.controls.pause("letters", who="ana", why="told on purpose")
    anew = served(scaling_router(broker, Access(SecretKey(SECRET), audience="todo")))
    client = anew
    assert ask("letters", "viewer").json() == {"startable": 0, "oldest_s": 0.0, "paused": True}
    assert ask("other", "viewer").json()["startable"] == 1


def test_a_scrape_has_the_bridge_the_queues_and_all_processes_of_the_port(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    other = Parts(tmp_path)
    other.enter()
    other.write([Family("bridge_clients", "gauge", "", (), {(): (4.0,)})], ready=True)
    for _ in range(3):
        send(broker, "letters")
    send(broker, "other", 60)
    broker.controls.pause("letters", who="ana")
    with served(metrics_router(lambda: STATUS, gauges=QueueGauges(broker), folder=tmp_path)) as client:
        wait_for(lambda: values(client).get(("bridge_clients",)) == 7)
        wait_for(lambda: ("workers_delayed_jobs",) in values(client), 60)
        found = values(client)
        assert found[("workers_delayed_jobs",)] == 1
        assert found["workers_queue_not_done", "letters"] == 3
        assert found["workers_queue_paused", "letters"] == 1
        assert found["workers_queue_startable", "letters"] == 0
        assert found["workers_queue_paused", "other"] == 0
        assert found["workers_dead_letters", "letters"] == 0
        assert found[("bridge_not_following",)] == 1
        assert found[("bridge_frames_total",)] == 7
    other.leave()


def test_a_process_that_shares_its_port_with_no_other_needs_no_folder() -> None:
    with served(metrics_router(lambda: STATUS)) as client:
        assert values(client)[("bridge_clients",)] == 3
        began = time.monotonic()
        assert client.get("/metrics", headers={"accept": "application/openmetrics-text"}).text.endswith(
            "# EOF\n"
        )
        assert time.monotonic() - began < 5
