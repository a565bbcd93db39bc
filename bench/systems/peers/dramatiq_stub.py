"""dramatiq's StubBroker, a queue in memory without network: it shows the cost of dramatiq itself."""

from __future__ import annotations

from dramatiq.brokers.stub import StubBroker

from .. import dramatiq_common as common
from ..meter import Meter


def noop_rate(jobs: int) -> float:
    broker, meter = StubBroker(), Meter(jobs)
    actor = common.noop_actor(broker, meter)
    for _ in range(jobs):
        actor.send(*common.ARGUMENTS)
    with common.worker(broker):
        return meter.rate()


def enqueue_rate(jobs: int) -> float:
    return common.enqueue_rate(common.noop_actor(StubBroker(), Meter(jobs)), jobs)
