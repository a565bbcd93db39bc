"""dramatiq's RedisBroker."""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from .. import dramatiq_common as common
from ..meter import Meter


def noop_rate(url: str, namespace: str, jobs: int) -> float:
    broker, meter = _broker(url, namespace), Meter(jobs)
    actor = common.noop_actor(broker, meter)
    for _ in range(jobs):
        actor.send(*common.ARGUMENTS)
    with common.worker(broker):
        return meter.rate()


def enqueue_rate(url: str, namespace: str, jobs: int) -> float:
    return common.enqueue_rate(common.noop_actor(_broker(url, namespace), Meter(jobs)), jobs)


def _broker(url: str, namespace: str) -> dramatiq.Broker:
    broker: dramatiq.Broker = RedisBroker(url=url, namespace=namespace)  # type: ignore[no-untyped-call]
    return broker
