"""Durable produces: one kafka-python producer per process, made at first use."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

from .client import Cluster, KafkaProducer, abandon_producer, awaited, connect_producer, kafka_errors
from .envelope import Record


class DurableProducer:
    """Writes records that are on disk on all in-sync replicas once they are confirmed.

    Safe to call from any thread. Safe over a fork: the child makes its own client and never uses the
    inherited one.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None
        _instances.add(self)

    def send(self, topic: str, record: Record) -> Any:
        """Hand a record to the client's buffer; returns a future of kafka-python.

        Blocks while the topic's metadata is unknown or the buffer is full, at most the cluster's
        time-out; then raises KafkaUnreachable. Raises NotAuthorized and MessageTooLarge at once.
        """
        producer = self._producer or self._connect()
        with kafka_errors(self.cluster, f"write to topic {topic}"):
            return producer.send(topic, record.value, key=record.key, headers=record.headers)

    def deliver(self, topic: str, record: Record) -> Any:
        """Write a record and wait until Kafka has confirmed it; returns its metadata.

        Raises what :meth:`send` raises, and NotDelivered where no answer came in time.
        """
        return awaited(self.send(topic, record), self.cluster, f"write to topic {topic}")

    def close(self) -> None:
        """Send what is buffered, within the cluster's time-out, and disconnect; a later send reconnects."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=self.cluster.connect_timeout_s)

    def _connect(self) -> KafkaProducer:
        with self._lock:
            if self._producer is None:
                self._producer = connect_producer(self.cluster)
            return self._producer

    def _forget_inherited(self) -> None:
        self._lock = threading.Lock()
        if self._producer is not None:
            abandon_producer(self._producer)
            _inherited.append(self._producer)
            self._producer = None


_instances: weakref.WeakSet[DurableProducer] = weakref.WeakSet()
#: Never finalized: a finalizer in the child would touch the locks and sockets of the parent.
_inherited: list[KafkaProducer] = []


def _after_fork_in_child() -> None:
    for instance in list(_instances):
        instance._forget_inherited()


os.register_at_fork(after_in_child=_after_fork_in_child)
