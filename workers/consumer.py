"""The consumer of one queue: polls, hands out jobs, collects their acks, commits.

kafka-python's consumer is not thread-safe and dramatiq acks from worker threads, so an ack is mail:
worker threads post the job's ticket, and the one thread that consumes opens it. That thread owns the
client, the ledger and the commits; there are no locks.

kafka-python runs the rebalance listener on its own I/O thread, but only while the consuming thread
waits inside ``poll`` or ``close`` for that to end: the two never run at the same time.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import dramatiq

from . import dead_letters, envelope
from .client import (
    AsyncConsumerRebalanceListener,
    KafkaConsumer,
    OffsetAndMetadata,
    TopicPartition,
    kafka_errors,
)
from .dead_letters import DeadLetter, Origin, Reason
from .errors import Undecodable, WorkersError
from .offsets import Ledger, Ticket
from .producer import DurableProducer

logger = logging.getLogger(__name__)

#: Records taken from kafka-python at a time; what lies between the log and the prefetch.
_FETCH_RECORDS = 500
#: How often Kafka is polled while no more jobs are wanted: polling carries rebalances, and a consumer
#: that does not poll is put out of its group.
_KEEP_ALIVE_S = 0.1
#: Wait before a dead letter that could not be written is written again.
_REWRITE_DELAY_S = 1.0
#: How long close waits for its last commit.
_CLOSE_TIMEOUT_MS = 5_000
#: One for the process: an ack can reach the consumer that followed the one it came from.
_EPOCHS = itertools.count(1)


class Delivery(dramatiq.MessageProxy):
    """A message handed out to dramatiq, with the record it came in."""

    def __init__(self, message: dramatiq.Message[Any], record: Any, ticket: Ticket[TopicPartition]) -> None:
        super().__init__(message)
        self.record = record
        self.ticket = ticket


class _NotWritten(NamedTuple):
    """Mail: the dead letter of ``record`` could not be written."""

    record: Any
    ticket: Ticket[TopicPartition]
    error: BaseException


class QueueConsumer(dramatiq.Consumer):
    """Consumes one queue's topic; ``ack`` and ``nack`` from any thread, all else from one at a time.

    At most ``prefetch`` messages are handed out and not yet acked, whatever waits in the log.
    """

    def __init__(
        self,
        client: KafkaConsumer,
        producer: DurableProducer,
        *,
        queue_name: str,
        topic: str,
        group: str,
        dead_letter_topic: str,
        prefetch: int,
        timeout_ms: int,
        commit_interval_ms: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._producer = producer
        self._queue_name = queue_name
        self._group = group
        self._dead_letter_topic = dead_letter_topic
        self._prefetch = prefetch
        self._timeout_s = timeout_ms / 1000
        self._commit_interval_s = commit_interval_ms / 1000
        self._clock = clock

        self._ledger: Ledger[TopicPartition] = Ledger(_EPOCHS)
        self._mail: SimpleQueue[Ticket[TopicPartition] | _NotWritten] = SimpleQueue()
        self._buffer: deque[Any] = deque()
        self._outstanding: set[Ticket[TopicPartition]] = set()
        self._to_rewrite: list[_NotWritten] = []
        self._rewrite_at = 0.0
        self._committing = False
        self._commit_fails = False
        self._commit_at = clock()
        self._keep_alive_at = clock()
        client.subscribe([topic], listener=_Listener(self))
        # Else the first join happens before the topic is known: it assigns nothing, and a second one follows.
        client.partitions_for_topic(topic)

    def __next__(self) -> Delivery | None:
        """Hand out the next message; None where none came, or none may be handed out, within the timeout."""
        deadline = self._clock() + self._timeout_s
        while True:
            now = self._clock()
            self._open_mail()
            self._rewrite_dead_letters(now)
            self._commit_when_due(now)
            delivery = self._take() if len(self._outstanding) < self._prefetch else None
            if delivery is not None:
                return delivery
            if now >= deadline:
                return None
            self._wait(now, deadline)

    def ack(self, message: dramatiq.MessageProxy) -> None:
        """Note that a message is done; does nothing for a repeated ack or a partition that was taken away."""
        assert isinstance(message, Delivery)
        self._mail.put(message.ticket)

    def nack(self, message: dramatiq.MessageProxy) -> None:
        """Write the message's dead letter, wait until Kafka has it, and only then let its offset go.

        Raises a BrokerConnectionError where it cannot be written: dramatiq then calls again.
        """
        assert isinstance(message, Delivery)
        error = message._exception
        letter = self._letter(message.record, dead_letters.reason_of(error), error, message)
        self._producer.deliver(self._dead_letter_topic, dead_letters.encode(letter))
        logger.warning(
            "dead letter written id=%s reason=%s origin=%s", letter.id, letter.reason, letter.origin
        )
        self._mail.put(message.ticket)

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        """Hand back messages that were not run: they are not committed, so the next owner gets them."""

    def close(self) -> None:
        """Commit what is done, leave the group and disconnect; the next owner gets what is not done."""
        self._open_mail()
        self._commit_now()
        try:
            with kafka_errors(self._producer.cluster, f"leave group {self._group}"):
                self._client.close(autocommit=False, timeout_ms=_CLOSE_TIMEOUT_MS)
        except WorkersError as exc:
            logger.warning("consumer not closed cleanly queue=%s: %s", self._queue_name, exc)

    # -- handing out

    def _take(self) -> Delivery | None:
        while self._buffer and len(self._outstanding) < self._prefetch:
            record = self._buffer.popleft()
            ticket = self._receive(record)
            self._outstanding.add(ticket)
            try:
                return Delivery(envelope.decode(record.value, self._queue_name), record, ticket)
            except Undecodable as exc:
                self._write_poison(record, ticket, exc)
        return None

    def _receive(self, record: Any) -> Ticket[TopicPartition]:
        partition = TopicPartition(record.topic, record.partition)
        if partition not in self._ledger:
            self._ledger.assign(partition, record.offset)
        return self._ledger.receive(partition, record.offset)

    # -- waiting

    def _wait(self, now: float, deadline: float) -> None:
        """Wait for something to do: an ack where no more may be handed out, else records."""
        if len(self._outstanding) >= self._prefetch:
            self._keep_alive(now)
            self._wait_for_mail(min(deadline - now, _KEEP_ALIVE_S))
        else:
            # Acks do not wake the poll, so while jobs run it is no longer than their commits may wait.
            busy = self._outstanding or self._to_rewrite or self._ledger.uncommitted()
            self._fetch(min(deadline - now, self._commit_interval_s) if busy else deadline - now)

    def _wait_for_mail(self, timeout_s: float) -> None:
        try:
            self._open(self._mail.get(timeout=timeout_s))
        except Empty:
            return

    def _fetch(self, timeout_s: float) -> None:
        self._client.resume(*self._client.paused())
        self._poll(timeout_s)

    def _keep_alive(self, now: float) -> None:
        if now < self._keep_alive_at:
            return
        # Paused until the buffer is empty, not until the next ack: kafka-python may fetch again what it had
        # fetched for a partition that is paused.
        self._client.pause(*self._client.assignment())
        self._poll(0)

    def _poll(self, timeout_s: float) -> None:
        with kafka_errors(self._producer.cluster, f"consume queue {self._queue_name}"):
            fetched = self._client.poll(timeout_ms=int(timeout_s * 1000), max_records=_FETCH_RECORDS)
        for records in fetched.values():
            self._buffer.extend(records)
        self._keep_alive_at = self._clock() + _KEEP_ALIVE_S

    # -- acks and commits

    def _open_mail(self) -> None:
        while not self._mail.empty():
            self._open(self._mail.get_nowait())

    def _open(self, mail: Ticket[TopicPartition] | _NotWritten) -> None:
        if isinstance(mail, _NotWritten):
            logger.error(
                "dead letter not written origin=%s, trying again: %s", _origin(mail.record), mail.error
            )
            self._to_rewrite.append(mail)
            self._rewrite_at = self._clock() + _REWRITE_DELAY_S
        else:
            self._outstanding.discard(mail)
            self._ledger.done(mail)

    def _commit_when_due(self, now: float) -> None:
        if now < self._commit_at or self._committing:
            return
        self._commit_at = now + self._commit_interval_s
        positions = self._ledger.uncommitted()
        if positions:
            self._committing = True
            self._client.commit_async(_as_offsets(positions), callback=self._on_committed)

    def _on_committed(self, offsets: dict[TopicPartition, OffsetAndMetadata], result: Any) -> None:
        self._committing = False
        if isinstance(result, Exception):
            log = logger.debug if self._commit_fails else logger.warning
            log("commit failed group=%s, trying until it succeeds: %s", self._group, result)
            self._commit_fails = True
        else:
            self._commit_fails = False
            self._ledger.committed({partition: offset.offset for partition, offset in offsets.items()})

    def _commit_now(self) -> None:
        positions = self._ledger.uncommitted()
        if not positions:
            return
        try:
            with kafka_errors(self._producer.cluster, f"commit for group {self._group}"):
                self._client.commit(_as_offsets(positions), timeout_ms=_CLOSE_TIMEOUT_MS)
        except WorkersError as exc:
            logger.warning(
                "last commit failed group=%s, jobs since the one before will run again: %s", self._group, exc
            )
        else:
            self._ledger.committed(positions)

    async def _give_up(self, partitions: Iterable[TopicPartition]) -> None:
        """Commit what is done in partitions that go to another owner, and forget them."""
        self._open_mail()
        lost = set(partitions)
        positions = {partition: p for partition, p in self._ledger.uncommitted().items() if partition in lost}
        if positions:
            try:
                await self._client.commit_async(_as_offsets(positions))
            except Exception as exc:  # noqa: BLE001 - whatever it is, the partition is gone
                logger.warning("commit on revoke failed group=%s, jobs will run again: %s", self._group, exc)
        self._forget(lost)

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        lost = set(partitions)
        for partition in lost:
            self._ledger.revoke(partition)
        self._buffer = deque(r for r in self._buffer if TopicPartition(r.topic, r.partition) not in lost)

    # -- dead letters of records that never became a job

    def _write_poison(self, record: Any, ticket: Ticket[TopicPartition], error: BaseException) -> None:
        letter = self._letter(record, Reason.UNDECODABLE, error)
        try:
            future = self._producer.send(self._dead_letter_topic, dead_letters.encode(letter))
        except WorkersError as exc:
            self._mail.put(_NotWritten(record, ticket, exc))
            return
        logger.warning("dead letter sent id=%s reason=%s origin=%s", letter.id, letter.reason, letter.origin)
        future.add_callback(lambda _: self._mail.put(ticket))
        future.add_errback(lambda exc: self._mail.put(_NotWritten(record, ticket, exc)))

    def _rewrite_dead_letters(self, now: float) -> None:
        if not self._to_rewrite or now < self._rewrite_at:
            return
        waiting, self._to_rewrite = self._to_rewrite, []
        for mail in waiting:
            try:
                envelope.decode(mail.record.value, self._queue_name)
            except Undecodable as exc:
                self._write_poison(mail.record, mail.ticket, exc)

    def _letter(
        self,
        record: Any,
        reason: Reason,
        error: BaseException | None,
        message: dramatiq.MessageProxy | None = None,
    ) -> DeadLetter:
        retries = message.options.get("retries") if message else None
        return DeadLetter(
            reason=reason,
            origin=_origin(record),
            value=record.value,
            time_ms=int(time.time() * 1000),
            group=self._group,
            job_key=record.key,
            # A header may be null, which cannot be written back; none of ours is.
            job_headers=tuple((name, value) for name, value in record.headers if value is not None),
            message_id=message.message_id if message else None,
            actor=message.actor_name if message else None,
            queue=self._queue_name,
            attempts=retries if isinstance(retries, int) else 1,
            **dead_letters.error_fields(error, with_traceback=message is not None),
        )


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: QueueConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._consumer._give_up(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """A partition's ledger starts with its first record."""

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._consumer._forget(lost)


def _as_offsets(positions: dict[TopicPartition, int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {partition: OffsetAndMetadata(position, "", -1) for partition, position in positions.items()}


def _origin(record: Any) -> Origin:
    return Origin(record.topic, record.partition, record.offset, record.timestamp)
