"""Writes records durably: one kafka-python producer per process, made at first use, replaced when it breaks.

Every send has one deadline, the cluster's send time-out, which covers every wait: for the
connection, the topic's metadata, and Kafka's confirmation. Connecting and looking topics up happen on their
own thread, one attempt at a time for all senders; after that, handing a record over never blocks.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import threading
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ...errors import KafkaUnreachable, NotAuthorized, TopicsMissing, WorkersError
from ...records.envelope import Record
from .. import (
    Cluster,
    KafkaError,
    abandon_producer,
    awaited,
    discard_producer,
    is_closed,
    is_fatal,
    known_partitions,
    look_up_topic,
    partition_of,
    translated,
)
from ..patches.sending import DirectProducer
from .idempotence import connect_durable
from .loop_answers import as_asyncio, at_turns_end, outcome_of, settled
from .shared_attempt import SharedAttempt, again

logger = logging.getLogger(__name__)


class DurableProducer:
    """Writes records that are on disk on all in-sync replicas once they are confirmed.

    Safe to call from any thread. Safe over a fork: the child makes its own client and never uses the
    inherited one.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._lock = threading.Lock()
        self._producer: DirectProducer | None = None
        #: How often :meth:`close` was called: a connection that was begun before a call is not kept.
        self._closings = 0
        #: Topics whose metadata a sender waits for.
        self._wanted: set[str] = set()
        self._attempt = SharedAttempt(cluster, "connect", self._connect)
        self._turns = itertools.count()
        _instances.add(self)

    def deadline(self) -> float:
        """When a send that begins now must have its answer, by the monotonic clock."""
        return time.monotonic() + self.cluster.send_timeout_s

    def prepare(self, topic: str) -> None:
        """Connect and look the topic up, so that the first :meth:`send` to it need not wait for that.

        Blocks, at most for the send time-out. Raises KafkaUnreachable, TopicsMissing or NotAuthorized.
        """
        self._ready(topic, self.deadline())

    def partitions(self, topic: str, deadline: float) -> int:
        """Return how many partitions a topic has; blocks until that is known. Raises as :meth:`send`."""
        return len(self._ready(topic, deadline)[1])

    def send(
        self,
        topic: str,
        record: Record,
        *,
        beside: bytes | None = None,
        partition: int | None = None,
        deadline: float | None = None,
    ) -> Any:
        """Hand a record to the client's buffer; returns a future of kafka-python.

        The record goes to ``partition``, or to the partition of the key ``beside``, or to that of its own
        key; one without a key, or that may be anywhere, takes the next in turn. Blocks until
        ``deadline`` at most, and only to connect or to look the topic up; then raises KafkaUnreachable.
        Raises TopicsMissing, NotAuthorized and MessageTooLarge at once, and so KafkaUnreachable for a
        ``partition`` that is not known yet. The future is answered within the send time-out.
        """
        deadline = deadline or self.deadline()
        while True:
            producer, partitions = self._ready(topic, deadline)
            if partition is not None and partition not in partitions:
                raise KafkaUnreachable(f"partition {partition} of topic {topic} is not known yet")
            place = self._choose(partitions, record, beside) if partition is None else partition
            future = self._hand_over(producer, topic, record, place)
            if future is not None:
                return future

    def deliver(
        self, topic: str, record: Record, *, beside: bytes | None = None, deadline: float | None = None
    ) -> Any:
        """Write a record and wait until Kafka has confirmed it; returns its metadata.

        Raises what :meth:`send` raises, and NotDelivered if no answer came until ``deadline``.
        """
        deadline = deadline or self.deadline()
        future = self.send(topic, record, beside=beside, deadline=deadline)
        return awaited(future, self.cluster, f"write to topic {topic}", deadline=deadline)

    async def deliver_async(self, topic: str, record: Record, *, deadline: float | None = None) -> Any:
        """Do as :meth:`deliver` does without blocking the event loop."""
        deadline = deadline or self.deadline()
        waiting = await self._send_async(topic, record, deadline)
        await settled([waiting], deadline)
        outcome = outcome_of(waiting, self.cluster, f"write to topic {topic}")
        if isinstance(outcome, WorkersError):
            raise outcome from outcome.__cause__
        return outcome

    async def deliver_each_async(
        self, topic: str, records: Iterable[Record], *, deadline: float | None = None
    ) -> list[Any]:
        """Write records in their order and wait for all at once; returns the metadata or the error of each.

        None is written after one that could not be handed over: records with the same key keep their order.
        """
        deadline = deadline or self.deadline()
        handed_over: list[asyncio.Future[Any]] = []
        refused: list[WorkersError] = []
        for record in records:
            if not refused:
                try:
                    handed_over.append(await self._send_async(topic, record, deadline))
                except WorkersError as exc:
                    refused.append(exc)
            else:
                refused.append(again(refused[0]))
        await settled(handed_over, deadline)
        doing = f"write to topic {topic}"
        return [outcome_of(waiting, self.cluster, doing) for waiting in handed_over] + refused

    async def _send_async(self, topic: str, record: Record, deadline: float) -> asyncio.Future[Any]:
        future = None
        while future is None:
            producer, partitions = self._known(topic) or await self._ready_async(topic, deadline)
            place = self._choose(partitions, record)
            future = self._hand_over(producer, topic, record, place, at_once=False)
        return as_asyncio(future)

    def close(self) -> None:
        """Send what is buffered, within the send time-out, and disconnect; a later send connects again."""
        with self._lock:
            producer, self._producer = self._producer, None
            self._closings += 1
        if producer is None:
            return
        try:
            producer.close(timeout=self.cluster.send_timeout_s)
        except KafkaError as exc:
            # Each thread that waits for one of these records gets the error.
            logger.warning("records not sent when the producer was closed: %s", exc)
            discard_producer(producer)

    def _ready(self, topic: str, deadline: float) -> tuple[DirectProducer, set[int]]:
        """The client and the topic's partitions; waits for the attempt that finds them."""
        while (found := self._known(topic)) is None:
            self._wanted.add(topic)
            self._require(topic, self._attempt.wait(deadline - time.monotonic()))
        return found

    async def _ready_async(self, topic: str, deadline: float) -> tuple[DirectProducer, set[int]]:
        while (found := self._known(topic)) is None:
            self._wanted.add(topic)
            self._require(topic, await self._attempt.wait_async(deadline - time.monotonic()))
        return found

    def _known(self, topic: str) -> tuple[DirectProducer, set[int]] | None:
        producer = self._producer
        if producer is None or (partitions := known_partitions(producer, topic)) is None:
            return None
        return producer, partitions

    def _require(self, topic: str, problems: dict[str, WorkersError]) -> None:
        if topic in problems:
            raise again(problems[topic]) from problems[topic].__cause__

    def _connect(self) -> dict[str, WorkersError]:
        """Connect if necessary, and look the wanted topics up; returns the errors of single topics."""
        producer = self._producer
        if producer is None:
            closings = self._closings
            producer = connect_durable(self.cluster)
            with self._lock:
                kept = closings == self._closings
                if kept:
                    self._producer = producer
            if not kept:
                discard_producer(producer)
                raise KafkaUnreachable("the producer was closed while it connected")
        problems: dict[str, WorkersError] = {}
        while self._wanted:
            topic = self._wanted.pop()
            try:
                look_up_topic(producer, self.cluster, topic)
            except (TopicsMissing, NotAuthorized) as exc:
                problems[topic] = exc
        return problems

    def _hand_over(
        self,
        producer: DirectProducer,
        topic: str,
        record: Record,
        partition: int,
        *,
        at_once: bool = True,
    ) -> Any | None:
        """The record's future; None if another thread has just closed this producer. Does not block.

        It is sent ``at_once``, or at the end of the running event loop's turn.
        """
        try:
            future, must_wake = producer.append(
                topic, partition, record.key, record.value, record.headers, at_once=at_once
            )
        except KafkaError as exc:
            if is_closed(producer):
                self._drop(producer)
                return None
            raise translated(exc, self.cluster, f"write to topic {topic}") from exc
        if must_wake and at_once:
            producer.wake()
        elif must_wake:
            at_turns_end(producer.wake_due)
        return future.add_errback(self._retire_broken, producer)

    def _choose(self, partitions: set[int], record: Record, beside: bytes | None = None) -> int:
        """The record's partition: that of its key, or the next in turn, which costs a fifth of that."""
        key = record.key if beside is None else beside
        if key is not None and (beside is not None or not record.anywhere):
            return partition_of(partitions, key)
        turn = next(self._turns) % len(partitions)
        return turn if turn in partitions else min(partitions)

    def _drop(self, producer: DirectProducer) -> bool:
        """Make the next send connect anew; False if it would do so anyway."""
        with self._lock:
            if self._producer is not producer:
                return False
            self._producer = None
            return True

    def _retire_broken(self, producer: DirectProducer, error: BaseException) -> None:
        """Replace a producer that does not recover from an error; closing it answers the records it holds."""
        if is_fatal(error) and self._drop(producer):
            _retired.append(producer)
            # Not here: this is a callback of the producer's own thread.
            with suppress(RuntimeError):  # no thread starts while the interpreter ends
                threading.Thread(target=_close_retired, args=(producer,), daemon=True).start()

    def _forget_inherited(self) -> None:
        self._lock = threading.Lock()
        if self._producer is not None:
            abandon_producer(self._producer)
            _inherited.append(self._producer)
            self._producer = None


def _close_retired(producer: DirectProducer) -> None:
    discard_producer(producer)
    with suppress(ValueError):
        _retired.remove(producer)


_instances: weakref.WeakSet[DurableProducer] = weakref.WeakSet()
#: Broken producers that are being closed.
_retired: list[DirectProducer] = []
#: Never finalized: a finalizer in the child would touch the locks and sockets of the parent.
_inherited: list[DirectProducer] = []


def _after_fork_in_child() -> None:
    for instance in list(_instances):
        instance._forget_inherited()
    while _retired:
        abandon_producer(_retired[-1])
        _inherited.append(_retired.pop())


os.register_at_fork(after_in_child=_after_fork_in_child)
