"""Celery, on Redis and on kombu's Kafka transport: threads, acks after the job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from celery import Celery

from ..dramatiq_common import ARGUMENTS, THREADS
from ..meter import Meter, Stopwatch


def redis_noop_rate(url: str, namespace: str, jobs: int) -> float:
    return _noop_rate(_app(url, namespace), jobs)


def redis_enqueue_rate(url: str, namespace: str, jobs: int) -> float:
    return _enqueue_rate(_app(url, namespace), jobs)


def kafka_noop_rate(address: str, namespace: str, jobs: int) -> float:
    return _noop_rate(_app(f"confluentkafka://{address}", namespace), jobs)


def kafka_enqueue_rate(address: str, namespace: str, jobs: int) -> float:
    return _enqueue_rate(_app(f"confluentkafka://{address}", namespace), jobs)


def _app(broker_url: str, namespace: str) -> Celery:
    app = Celery("bench", broker=broker_url)
    app.conf.update(
        task_default_queue=f"{namespace}.celery",
        task_acks_late=True,
        task_ignore_result=True,
        worker_enable_remote_control=False,  # kombu's Kafka transport has no fanout
        broker_connection_retry_on_startup=False,
    )
    return app


def _task(app: Celery, meter: Meter) -> Any:
    @app.task(name="noop")
    def noop(*_: Any) -> None:
        meter.tick()

    return noop


def _enqueue_rate(app: Celery, jobs: int) -> float:
    task, stopwatch = _task(app, Meter(jobs)), Stopwatch()
    task.delay(*ARGUMENTS)
    with stopwatch.running():
        for _ in range(jobs):
            task.delay(*ARGUMENTS)
    return jobs / stopwatch.seconds


def _noop_rate(app: Celery, jobs: int) -> float:
    meter = Meter(jobs)
    task = _task(app, meter)
    for _ in range(jobs):
        task.delay(*ARGUMENTS)
    worker = app.Worker(
        pool="threads", concurrency=THREADS, loglevel="WARNING", without_mingle=True, without_gossip=True
    )
    return _while_running(worker.start, meter.rate)


def _while_running(start: Callable[[], None], measure: Callable[[], float]) -> float:
    # It ends with the process: a graceful end would take longer than the measurement.
    threading.Thread(target=start, daemon=True).start()
    return measure()
