"""Celery on Redis, and on kombu's Kafka transport."""

from __future__ import annotations

import os
import signal
import threading

import celery

from bench.sizes import THREADS
from bench.tally import Tally

from . import Place


class CeleryPool:
    """Celery with threads, acking after the job as the others do, and with all that talks beside it off."""

    def __init__(self, url: str, queue: str) -> None:
        self._tally = Tally(10)
        self._app = celery.Celery("bench", broker=url)
        self._app.conf.update(
            task_acks_late=True,
            task_ignore_result=True,
            task_default_queue=queue,
            worker_enable_remote_control=False,
            broker_connection_retry_on_startup=False,
        )
        self._noop = self._app.task(self._run_noop, name="noop")

    def fill(self, count: int) -> None:
        for number in range(count):
            self._noop.delay(number)

    def drain(self, tally: Tally) -> None:
        """Celery's worker has the main thread and ends with the process, by SIGTERM."""
        self._tally = tally
        threading.Thread(target=self._end_when_done, daemon=True).start()
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]
        try:
            self._app.worker_main(["worker", "--pool", "threads", "--concurrency", str(THREADS), *quiet])
        except SystemExit as exc:
            if not tally.done.is_set():
                raise RuntimeError(f"celery's worker ended by itself with status {exc.code}") from exc

    def _run_noop(self, _number: int) -> None:
        self._tally.tick()

    def _end_when_done(self) -> None:
        self._tally.done.wait()
        os.kill(os.getpid(), signal.SIGTERM)


def redis(place: Place) -> CeleryPool:
    return CeleryPool(place.redis, place.name)


def kafka(place: Place) -> CeleryPool:
    return CeleryPool(f"confluentkafka://{place.kafka}", place.name)
