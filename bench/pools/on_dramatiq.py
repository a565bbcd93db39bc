"""dramatiq's Worker on three brokers, each with dramatiq's default middleware."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import dramatiq
from dramatiq.brokers.stub import StubBroker

from bench.sizes import THREADS
from bench.tally import Tally
from workers import Cluster, KafkaBroker

from . import Place

QUEUE = "default"
#: How long the last acks may take once the last job ran.
_SETTLE_MS = 20_000


class DramatiqPool:
    """A pool of any dramatiq broker; its second job sleeps."""

    def __init__(self, broker: dramatiq.Broker) -> None:
        self.broker = broker
        self._tally = Tally(10)
        self._noop = dramatiq.actor(self._run_noop, actor_name="noop", broker=broker)
        self._nap = dramatiq.actor(self._run_nap, actor_name="nap", broker=broker)

    def fill(self, count: int) -> None:
        with self._batch():
            for number in range(count):
                self._noop.send(number)

    def fill_naps(self, naps_s: Iterable[float]) -> None:
        """Enqueue one job for each time that is to be slept."""
        with self._batch():
            for nap_s in naps_s:
                self._nap.send(nap_s)

    def drain(self, tally: Tally, threads: int = THREADS) -> None:
        self._tally = tally
        worker = dramatiq.Worker(self.broker, worker_threads=threads)
        worker.start()
        tally.done.wait()
        worker.stop()
        if isinstance(self.broker, KafkaBroker):
            # Fails if not everything that ran was also committed.
            self.broker.join(QUEUE, timeout=_SETTLE_MS)
        self.broker.close()

    def _batch(self) -> AbstractContextManager[None]:
        return self.broker.batch() if isinstance(self.broker, KafkaBroker) else nullcontext()

    def _run_noop(self, _number: int) -> None:
        self._tally.tick()

    def _run_nap(self, nap_s: float) -> None:
        self._tally.begin()
        time.sleep(nap_s)
        self._tally.tick()


def kafka_broker(place: Place, *, partitions: int = 8) -> KafkaBroker:
    """A KafkaBroker as a user makes it."""
    return KafkaBroker(Cluster(tuple(place.kafka.split(","))), namespace=place.name, partitions=partitions)


def kafka(place: Place) -> DramatiqPool:
    return DramatiqPool(kafka_broker(place))


def kafka_one_partition(place: Place) -> DramatiqPool:
    return DramatiqPool(kafka_broker(place, partitions=1))


def stub(_place: Place) -> DramatiqPool:
    return DramatiqPool(StubBroker())


def redis(place: Place) -> DramatiqPool:
    # Not at the top: the other two run without redis.
    from dramatiq.brokers.redis import RedisBroker  # noqa: PLC0415

    return DramatiqPool(RedisBroker(url=place.redis, namespace=place.name))
