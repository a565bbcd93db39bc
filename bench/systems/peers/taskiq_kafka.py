"""taskiq on its Kafka broker. It commits by time, not by job, and runs the no-op on its event loop."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.partitioner import DefaultPartitioner
from taskiq.receiver import Receiver
from taskiq_aio_kafka import AioKafkaBroker
from taskiq_aio_kafka.topic import Topic
from taskiq_aio_kafka.topic_config import TopicConfig

from ..dramatiq_common import ARGUMENTS
from ..meter import Meter, Stopwatch


def noop_rate(address: str, namespace: str, jobs: int) -> float:
    return asyncio.run(_noop_rate(_broker(address, namespace), jobs))


def enqueue_rate(address: str, namespace: str, jobs: int) -> float:
    return asyncio.run(_enqueue_rate(_broker(address, namespace), jobs))


def _broker(address: str, namespace: str) -> AioKafkaBroker:
    topic = Topic(f"{namespace}.taskiq", TopicConfig(declare=True))
    broker = AioKafkaBroker(address, kafka_topic=topic)
    # Its own defaults for both classes are kafka-python's, which fit aiokafka no longer; and it starts at the
    # latest record, outside of any group.
    broker.configure_producer(acks="all", partitioner=DefaultPartitioner())
    broker.configure_consumer(
        auto_offset_reset="earliest",
        group_id=f"{namespace}.taskiq",
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
    )
    return broker


def _task(broker: AioKafkaBroker, meter: Meter) -> Any:
    @broker.task("noop")
    async def noop(*_: Any) -> None:
        meter.tick()

    return noop


async def _enqueue_rate(broker: AioKafkaBroker, jobs: int) -> float:
    task, stopwatch = _task(broker, Meter(jobs)), Stopwatch()
    await broker.startup()
    await task.kiq(*ARGUMENTS)
    with stopwatch.running():
        await _kick(task, jobs)
    return jobs / stopwatch.seconds


async def _noop_rate(broker: AioKafkaBroker, jobs: int) -> float:
    meter = Meter(jobs)
    task = _task(broker, meter)
    broker.is_worker_process = True
    await broker.startup()
    await _kick(task, jobs)
    receiver = Receiver(broker, max_async_tasks=100, run_startup=False)
    listening = asyncio.create_task(receiver.listen(asyncio.Event()))
    rate = await asyncio.to_thread(meter.rate)
    listening.cancel()
    return rate


async def _kick(task: Any, jobs: int, at_once: int = 500) -> None:
    for sent in range(0, jobs, at_once):
        await asyncio.gather(*(task.kiq(*ARGUMENTS) for _ in range(min(at_once, jobs - sent))))
