"""taskiq-aio-kafka."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from taskiq.receiver import Receiver
from taskiq_aio_kafka import AioKafkaBroker

from bench.sizes import THREADS
from bench.tally import Tally

from . import Place

#: What taskiq's command gives a worker.
_MAX_ASYNC_TASKS = 100


class TaskiqPool:
    """taskiq with threads. Left at its defaults it would read only what is enqueued after it started."""

    def __init__(self, place: Place) -> None:
        self._tally = Tally(10)
        self._runner = asyncio.Runner()
        self._is_started = False
        self._broker = _broker(place)
        self._noop = self._broker.task("noop")(self._run_noop)

    def fill(self, count: int) -> None:
        self._runner.run(self._fill(count))

    def drain(self, tally: Tally) -> None:
        self._tally = tally
        self._runner.run(self._drain())

    async def _fill(self, count: int) -> None:
        if not self._is_started:
            await self._broker.startup()
            self._is_started = True
        for number in range(count):
            await self._noop.kiq(number)

    async def _drain(self) -> None:
        self._broker.is_worker_process = True
        finish = asyncio.Event()
        with ThreadPoolExecutor(THREADS) as executor:
            receiver = Receiver(self._broker, executor=executor, max_async_tasks=_MAX_ASYNC_TASKS)
            listening = asyncio.create_task(receiver.listen(finish))
            done = asyncio.create_task(asyncio.to_thread(self._tally.done.wait))
            await asyncio.wait({listening, done}, return_when=asyncio.FIRST_COMPLETED)
            finish.set()
            await listening
            await self._broker.shutdown()

    def _run_noop(self, _number: int) -> None:
        self._tally.tick()


def _broker(place: Place) -> AioKafkaBroker:
    broker = AioKafkaBroker(place.kafka, kafka_topic=place.name)
    # taskiq-aio-kafka 1.0.0 gives aiokafka the partitioner and the assignor of kafka-python, which
    # aiokafka 0.14 cannot use.
    broker.configure_producer(acks="all", partitioner=_any_partition)
    broker.configure_consumer(
        group_id=place.name,
        auto_offset_reset="earliest",
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
    )
    return broker


def _any_partition(_key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
    return random.choice(available or partitions)


def kafka(place: Place) -> TaskiqPool:
    return TaskiqPool(place)
