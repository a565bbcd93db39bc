"""A worker that notes when each job of a stream reached it; leaves gracefully when it is told to stop."""

from __future__ import annotations

import threading
import time

import dramatiq

from bench.child import Channel
from bench.pools import Place
from bench.pools.on_dramatiq import QUEUE, kafka_broker
from bench.sizes import THREADS

_SETTLE_MS = 10_000


def run(channel: Channel, place: dict[str, str], is_last: bool) -> None:
    """Report each job's number, and when it was sent and started; the last worker waits until all are done."""
    broker = kafka_broker(Place(**place))
    first = threading.Event()
    jobs: list[tuple[int, float, float]] = []

    def beat(number: int, sent: float) -> None:
        jobs.append((number, sent, time.monotonic()))
        first.set()

    dramatiq.actor(beat, broker=broker)
    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    worker.start()
    while not (first.wait(0.01) or channel.stop.is_set()):
        pass
    channel.tell("ready")
    channel.stop.wait()
    if is_last:
        broker.join(QUEUE, timeout=_SETTLE_MS)
    worker.stop()
    broker.close()
    channel.tell("done", jobs=jobs)
