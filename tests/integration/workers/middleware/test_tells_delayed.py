"""dramatiq's own Prometheus middleware and delayed jobs, on a real Kafka."""

from __future__ import annotations

import logging
from collections.abc import Callable

import dramatiq
import prometheus_client  # noqa: F401 - before the middleware chooses for it how all processes add up
import pytest
from dramatiq import Worker
from dramatiq.middleware.prometheus import Prometheus

from tests.helpers.waiting import wait_for
from workers import KafkaBroker


class Recorded(Prometheus):
    """Keeps the ids of the jobs that it was told of."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def before_delay_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        super().before_delay_message(broker, message)  # type: ignore[no-untyped-call]
        self.told.append(message.message_id)


def test_a_process_that_only_publishes_neither_logs_nor_keeps_anything_of_a_delayed_job(
    broker: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    prometheus = Prometheus()
    broker.add_middleware(prometheus)
    broker.declare_queue("default")
    with caplog.at_level(logging.WARNING):
        broker.enqueue(dramatiq.Message("default", "work", (), {}, {}), delay=60_000)
    assert caplog.records == []
    assert prometheus.delayed_messages == set()


def test_the_worker_that_runs_a_delayed_job_counts_it_until_it_starts(
    broker: KafkaBroker,
    start_worker: Callable[[KafkaBroker], Worker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"):
        monkeypatch.setenv(name, "")  # it sets them
    prometheus = Recorded()
    broker.add_middleware(prometheus)
    ran: list[str] = []

    @dramatiq.actor(broker=broker)
    def work(name: str) -> None:
        ran.append(name)

    prometheus.after_process_boot(broker)  # type: ignore[no-untyped-call]
    work.send("now")
    delayed = work.send_with_options(args=("later",), delay=50)
    with caplog.at_level(logging.WARNING):
        start_worker(broker)
        wait_for(lambda: len(ran) == 2)
        broker.join("default", timeout=60_000)
    assert prometheus.told == [delayed.message_id]
    assert prometheus.delayed_messages == set()
    (metric,) = prometheus.inprogress_delayed_messages.collect()
    assert [(one.labels["actor_name"], one.value) for one in metric.samples] == [("work", 0)]
    assert [record for record in caplog.records if record.levelno == logging.CRITICAL] == []
