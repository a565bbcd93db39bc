"""Writes records for one broker: with its topics prepared, one at a time or many in a batch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any, NamedTuple

import dramatiq

from ..errors import WorkersError
from ..kafka.producing.producer import DurableProducer
from ..measures.catalogue import ENQUEUE_DURATION
from ..records.envelope import Record
from ..topics import log_config
from ..traces import active
from .batch import Batch
from .provisioning import Provisioning
from .traced_producer import Producer, TracedProducer


class Written(NamedTuple):
    """Where a record is that Kafka has confirmed."""

    topic: str
    partition: int
    offset: int


class Sending:
    """Delivers records, each within the send time-out, all waiting included. Safe for any thread."""

    def __init__(self, producer: DurableProducer, provisioning: Provisioning, queues: Iterable[str]) -> None:
        """The topics of ``queues`` must exist before anything is sent; more may be declared later."""
        self._producer = producer
        self._provisioning = provisioning
        self._queues = queues
        self._batch: ContextVar[Batch | None] = ContextVar("batch", default=None)

    def add_log(self, topic: str, *, retention_ms: int) -> None:
        """Have ``topic`` created with those of the queues: this application writes facts for others there."""
        self._provisioning.add_log(topic, log_config(retention_ms))

    def send(self, message: dramatiq.Message[Any], topic: str, record: Record) -> None:
        """Deliver a message's record, or hand it over inside a batch."""
        batch = self._batch.get()
        if batch is None:
            began_at = time.monotonic()
            self.deliver(topic, record)
            ENQUEUE_DURATION.observe(time.monotonic() - began_at, message.queue_name)
            return
        deadline = self._producer.deadline()
        self._provisioning.prepare(self._queues, deadline)
        batch.add(message, self._writer.send(topic, record, deadline=deadline))

    def deliver(self, topic: str, record: Record) -> None:
        """Write a record to one of the broker's topics and wait until all in-sync replicas have it.

        Raises KafkaUnreachable, or its subclass NotDelivered if the record may have been written.
        """
        deadline = self._producer.deadline()
        self._provisioning.prepare(self._queues, deadline)
        self._writer.deliver(topic, record, deadline=deadline)

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has. Blocks only until it is known. Raises KafkaUnreachable."""
        deadline = self._producer.deadline()
        self._provisioning.prepare(self._queues, deadline)
        return self._producer.partitions(topic, deadline)

    def hand_over(self, topic: str, record: Record, partition: int) -> Any:
        """Hand a record over to be written soon, without waiting for that; returns kafka-python's future.

        Blocks only the first time, to look the topic up. Raises KafkaUnreachable.
        """
        return self._producer.send(topic, record, partition=partition)

    async def deliver_async(self, topic: str, record: Record) -> Written:
        """Do as :meth:`deliver` does without blocking the event loop; returns where the record is."""
        deadline = self._producer.deadline()
        await self._provisioning.prepare_async(self._queues, deadline)
        return _written(await self._writer.deliver_async(topic, record, deadline=deadline))

    async def deliver_each_async(self, topic: str, records: Iterable[Record]) -> list[Written | WorkersError]:
        """Write records in their order and wait for all at once, without blocking the event loop.

        Returns for each where it is, or why it may not be there. None is written after one that could not be
        handed over. Raises KafkaUnreachable if the topics cannot be prepared; then none was.
        """
        deadline = self._producer.deadline()
        await self._provisioning.prepare_async(self._queues, deadline)
        answers = await self._writer.deliver_each_async(topic, records, deadline=deadline)
        return [answer if isinstance(answer, WorkersError) else _written(answer) for answer in answers]

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Hand over the messages that this thread or task sends in the block, and wait for all at the end."""
        batch = Batch(self._producer.cluster)
        token = self._batch.set(batch)
        try:
            yield batch
        finally:
            self._batch.reset(token)
            batch.wait()

    @cached_property
    def _writer(self) -> Producer:
        """What writes jobs and events. Whether they are traced is decided when the first is sent.

        A provider is there by then, and to ask each time would cost all those who have none.
        """
        spans = active.spans()
        return self._producer if spans is None else TracedProducer(self._producer, spans)


def _written(metadata: Any) -> Written:
    return Written(metadata.topic, metadata.partition, metadata.offset)
