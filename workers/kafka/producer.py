"""Durable produces: one kafka-python producer per process, made at first use."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import weakref
from typing import Any

from ..errors import WorkersError
from ..records.envelope import Record
from . import (
    Cluster,
    KafkaError,
    KafkaProducer,
    abandon_producer,
    awaited,
    connect_producer,
    discard_producer,
    is_closed,
    is_fatal,
    partition_of,
    translated,
    undelivered,
)


class DurableProducer:
    """Writes records that are on disk on all in-sync replicas once they are confirmed.

    Safe to call from any thread. Safe over a fork: the child makes its own client and never uses the
    inherited one.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None
        #: Topics that were written to: a send to them does not block.
        self._warm: set[str] = set()
        self._turns = itertools.count()
        _instances.add(self)

    def prepare(self, topic: str) -> None:
        """Connect and look the topic up, so that the first :meth:`send` to it need not wait for that.

        Blocks for at most the cluster's time-out. Raises KafkaUnreachable, or TopicsMissing.
        """
        producer = self._producer or self._connect()
        try:
            producer.partitions_for(topic)
        except KafkaError as exc:
            raise translated(exc, self.cluster, f"look up topic {topic}") from exc

    def send(
        self, topic: str, record: Record, *, beside: bytes | None = None, partition: int | None = None
    ) -> Any:
        """Hand a record to the client's buffer; returns a future of kafka-python.

        Its key chooses the partition, unless ``partition`` names one, or the key that it is to be ``beside``,
        or it may be anywhere.
        Blocks while the topic's metadata is unknown or the buffer is full, at most the cluster's
        time-out; then raises KafkaUnreachable. Raises NotAuthorized and MessageTooLarge at once.
        """
        producer = self._producer or self._connect()
        try:
            return self._hand_over(producer, topic, record, beside, partition)
        except WorkersError:
            # Another thread may have closed it just now: that one was broken, or the broker was closed.
            if not is_closed(producer):
                raise
        return self._hand_over(self._connect(instead_of=producer), topic, record, beside, partition)

    def _hand_over(
        self, producer: KafkaProducer, topic: str, record: Record, beside: bytes | None, partition: int | None
    ) -> Any:
        try:
            if beside is not None:
                partition = partition_of(producer, topic, beside)
            elif partition is None and record.anywhere:
                partition = self._next_partition(producer, topic)
            future = producer.send(topic, record.value, record.key, record.headers, partition)
        except KafkaError as exc:
            raise translated(exc, self.cluster, f"write to topic {topic}") from exc
        return future.add_errback(self._retire_broken, producer)

    def _next_partition(self, producer: KafkaProducer, topic: str) -> int:
        """In turns, which costs a tenth of hashing the key."""
        partitions = producer.partitions_for(topic)
        turn = next(self._turns) % len(partitions)
        return turn if turn in partitions else min(partitions)

    def deliver(self, topic: str, record: Record, *, beside: bytes | None = None) -> Any:
        """Write a record and wait until Kafka has confirmed it; returns its metadata.

        Raises what :meth:`send` raises, and NotDelivered where no answer came in time.
        """
        return awaited(self.send(topic, record, beside=beside), self.cluster, f"write to topic {topic}")

    async def deliver_async(self, topic: str, record: Record) -> Any:
        """:meth:`deliver` without blocking the event loop."""
        if topic not in self._warm:
            # The first send connects and waits for the topic's metadata; later ones only fill a buffer.
            result = await asyncio.to_thread(self.deliver, topic, record)
            self._warm.add(topic)
            return result
        loop = asyncio.get_running_loop()
        confirmed: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if confirmed.done():  # the waiting task was cancelled
                return
            if error is None:
                confirmed.set_result(result)
            else:
                confirmed.set_exception(undelivered(error, self.cluster, f"write to topic {topic}"))

        future = self.send(topic, record)
        future.add_callback(lambda result: loop.call_soon_threadsafe(settle, result, None))
        future.add_errback(lambda error: loop.call_soon_threadsafe(settle, None, error))
        return await confirmed

    def close(self) -> None:
        """Send what is buffered, within the send time-out, and disconnect; a later send reconnects."""
        with self._lock:
            producer, self._producer = self._producer, None
            self._warm.clear()
        if producer is not None:
            producer.close(timeout=self.cluster.send_timeout_s)

    def _connect(self, instead_of: KafkaProducer | None = None) -> KafkaProducer:
        with self._lock:
            while _retired:
                discard_producer(_retired.pop())
            if self._producer is None or self._producer is instead_of:
                self._producer = connect_producer(self.cluster)
            return self._producer

    def _retire_broken(self, producer: KafkaProducer, error: BaseException) -> None:
        """Let the next send connect anew after an error that this producer does not recover from."""
        if is_fatal(error) and self._producer is producer:
            self._producer = None
            _retired.append(producer)

    def _forget_inherited(self) -> None:
        self._lock = threading.Lock()
        if self._producer is not None:
            abandon_producer(self._producer)
            _inherited.append(self._producer)
            self._producer = None
        self._warm.clear()


_instances: weakref.WeakSet[DurableProducer] = weakref.WeakSet()
#: Broken ones, to be closed outside of their own callbacks.
_retired: list[KafkaProducer] = []
#: Never finalized: a finalizer in the child would touch the locks and sockets of the parent.
_inherited: list[KafkaProducer] = []


def _after_fork_in_child() -> None:
    for instance in list(_instances):
        instance._forget_inherited()
    while _retired:
        abandon_producer(_retired[-1])
        _inherited.append(_retired.pop())


os.register_at_fork(after_in_child=_after_fork_in_child)
