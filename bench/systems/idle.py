"""What a worker process needs that has nothing to do: the chatbot's, or one of a plain app with some queues.

It is also the plain app, see QUEUES.
"""

from __future__ import annotations

import os
import time

import dramatiq

from workers import Cluster, KafkaBroker

from .dramatiq_common import THREADS
from .worker_processes import worker_processes

#: The environment variables that say how many queues the plain app has, and where its Kafka is.
_QUEUES, _ADDRESS, _NAMESPACE = "BENCH_QUEUES", "BENCH_ADDRESS", "BENCH_NAMESPACE"
#: How long a worker settles before it is measured.
_SETTLE_S = 10.0


def chatbot(address: str, namespace: str, database_url: str, seconds: int) -> dict[str, float]:
    """Measure an idle worker process of `tasks`."""
    os.environ |= {
        "KAFKA_BOOTSTRAP_SERVERS": address,
        "KAFKA_NAMESPACE": namespace,
        "DATABASE_URL": database_url,
    }
    return _measure("tasks", address, seconds)


def plain(address: str, namespace: str, queues: int, seconds: int) -> dict[str, float]:
    """Measure an idle worker process with so many queues."""
    os.environ |= {_QUEUES: str(queues), _ADDRESS: address, _NAMESPACE: namespace}
    return _measure(f"{__name__}:make_plain_app", address, seconds)


def make_plain_app() -> KafkaBroker:
    """Make the broker of the plain app, an actor for each of its queues."""
    broker = KafkaBroker(Cluster((os.environ[_ADDRESS],)), namespace=os.environ[_NAMESPACE])
    dramatiq.set_broker(broker)
    for number in range(int(os.environ[_QUEUES])):
        dramatiq.actor(broker=broker, queue_name=f"queue-{number}", actor_name=f"actor-{number}")(_nothing)
    return broker


def _nothing() -> None:
    pass


def _measure(module: str, address: str, seconds: int) -> dict[str, float]:
    with worker_processes(module, processes=1, threads=THREADS) as workers:
        time.sleep(_SETTLE_S)
        before_s, began = workers.cpu_s(), time.monotonic()
        time.sleep(seconds)
        share = (workers.cpu_s() - before_s) / (time.monotonic() - began)
        return {
            "cpu_percent": 100 * share,
            "memory_mb": workers.memory_mb(),
            "threads": workers.threads(),
            "connections": workers.connections_to(address),
        }
