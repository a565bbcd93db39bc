"""The consumer of one queue: polls, hands out jobs, collects their acks, commits.

kafka-python's consumer is not thread-safe and dramatiq acks from worker threads, so an ack is mail:
worker threads post what is done, and the one thread that consumes opens it. That thread owns the client,
the lanes and the commits; there are no locks.

kafka-python runs the rebalance listener on its own I/O thread, but only while the consuming thread waits
inside ``poll`` or ``close`` for that to end: the two never run at the same time.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import dramatiq

from . import envelope
from .client import (
    AsyncConsumerRebalanceListener,
    KafkaConsumer,
    OffsetAndMetadata,
    TopicPartition,
    is_rebalance,
    kafka_errors,
    sleep_on_io_thread,
)
from .dead_letter_writer import DeadLetterWriter
from .dead_letters import Reason
from .errors import Undecodable, WorkersError
from .lanes import Delivery, Lane
from .trimming import Trimmer

logger = logging.getLogger(__name__)

#: Records taken from kafka-python at a time: what lies between the log and the prefetch.
_FETCH_RECORDS = 500
#: How often Kafka is polled while no more jobs are wanted: polling carries rebalances, and a consumer that
#: does not poll is put out of its group.
_KEEP_ALIVE_S = 0.1
#: Wait before a commit, or a dead letter, that Kafka did not take is tried again.
_RETRY_DELAY_S = 1.0
#: How long close waits for its last commit.
_CLOSE_TIMEOUT_MS = 5_000
#: A partition whose oldest job runs for so long is named in the log, and again each time this has passed.
_BLOCKED_AFTER_S = 60.0
#: Between two looks at the jobs that still run in partitions that are being taken away.
_REVOKE_INTERVAL_S = 0.01


class _Done(NamedTuple):
    """Mail: the record is done, its job run or its dead letter written."""

    lane: Lane
    offset: int


class _NotWritten(NamedTuple):
    """Mail: the dead letter of a record that never became a job could not be written."""

    lane: Lane
    record: Any
    poison: Undecodable
    error: BaseException


class QueueConsumer(dramatiq.Consumer):
    """Consumes one queue's topic; ``ack`` and ``nack`` from any thread, all else from one at a time.

    At most ``prefetch`` messages are handed out and not yet acked, whatever waits in the log.
    """

    def __init__(
        self,
        client: KafkaConsumer,
        dead_letters: DeadLetterWriter,
        trimmer: Trimmer,
        *,
        queue_name: str,
        topic: str,
        prefetch: int,
        timeout_ms: int,
        commit_interval_ms: int,
        revoke_timeout_ms: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._dead_letters = dead_letters
        self._trimmer = trimmer
        self._queue_name = queue_name
        self._prefetch = prefetch
        self._timeout_s = timeout_ms / 1000
        self._commit_interval_s = commit_interval_ms / 1000
        self._revoke_timeout_s = revoke_timeout_ms / 1000
        self._clock = clock

        self._lanes: dict[TopicPartition, Lane] = {}
        #: Lanes with fetched records; the first one's turn lasts until its records are handed out.
        self._ready: deque[Lane] = deque()
        self._mail: SimpleQueue[_Done | _NotWritten] = SimpleQueue()
        self._out_count = 0
        self._to_rewrite: list[_NotWritten] = []
        self._rewrite_at = 0.0
        self._committing = False
        #: Something was done since the last commit was sent.
        self._unsaved = False
        self._commit_at = self._keep_alive_at = clock()
        self._blocked_at = clock() + _BLOCKED_AFTER_S
        client.subscribe([topic], listener=_Listener(self))
        # Else the first join happens before the topic is known: it assigns nothing, and a second one follows.
        client.partitions_for_topic(topic)

    def __next__(self) -> Delivery | None:
        """Hand out the next message; None where none came, or none may be handed out, within the timeout."""
        deadline = self._clock() + self._timeout_s
        while True:
            now = self._clock()
            self._open_mail()
            self._do_chores(now)
            delivery = self._take(now)
            if delivery is not None:
                return delivery
            if now >= deadline:
                return None
            self._wait(now, deadline)

    def ack(self, message: dramatiq.MessageProxy) -> None:
        """Note that a message is done; does nothing for a repeated ack or a partition that was taken away."""
        assert isinstance(message, Delivery)
        # To the consumer that handed it out; dramatiq acks to the one that runs now, maybe its successor.
        message.mail.put(_Done(message.lane, message.record.offset))

    def nack(self, message: dramatiq.MessageProxy) -> None:
        """Write the message's dead letter, wait until Kafka has it, and only then let its offset go.

        Raises a BrokerConnectionError where it cannot be written: dramatiq then calls again.
        """
        assert isinstance(message, Delivery)
        self._dead_letters.write(message)
        self.ack(message)

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        """Hand back messages that were not run: they are not committed, so the next owner gets them."""

    def close(self) -> None:
        """Commit what is done, leave the group, disconnect and trim; the next owner gets what is not done."""
        self._open_mail()
        offsets = self._to_commit(self._lanes)
        try:
            with kafka_errors(self._dead_letters.cluster, f"commit for queue {self._queue_name}"):
                if offsets:
                    self._client.commit(offsets, timeout_ms=_CLOSE_TIMEOUT_MS)
                self._note_committed(offsets)
        except WorkersError as exc:
            logger.warning(
                "last commit failed queue=%s, jobs done since the one before run again: %s",
                self._queue_name,
                exc,
            )
        committed = self._committed_positions()
        self._forget(list(self._lanes))
        try:
            with kafka_errors(self._dead_letters.cluster, f"leave the group of queue {self._queue_name}"):
                self._client.close(autocommit=False, timeout_ms=_CLOSE_TIMEOUT_MS)
        except WorkersError as exc:
            logger.warning("consumer not closed cleanly queue=%s: %s", self._queue_name, exc)
        self._trimmer.close(committed)

    # -- handing out

    def _take(self, now: float) -> Delivery | None:
        for _ in range(len(self._ready)):
            lane = self._ready[0]
            while self._out_count < self._prefetch and not lane.full:
                record = lane.take(now)
                if record is None:
                    break
                self._out_count += 1
                try:
                    message = envelope.decode(record.value, self._queue_name)
                except Undecodable as exc:
                    self._write_poison(lane, record, exc)
                else:
                    delivery = lane.out[record.offset] = Delivery(message, record, lane, self._mail)
                    return delivery
            if self._out_count >= self._prefetch:
                return None
            self._ready.popleft()
            if lane.buffer:
                self._ready.append(lane)
        return None

    # -- waiting

    def _wait(self, now: float, deadline: float) -> None:
        """Wait for something to do: an ack where no more may be handed out, else records."""
        if self._out_count >= self._prefetch:
            if now >= self._keep_alive_at:
                # All stay paused until a fetch is wanted: kafka-python may throw away and fetch again what
                # it holds for a partition whose pausing flaps.
                self._client.pause(*self._client.assignment())
                self._poll(0)
            self._wait_for_mail(min(deadline - now, _KEEP_ALIVE_S))
        else:
            full = {partition for partition, lane in self._lanes.items() if lane.full}
            self._client.pause(*full)
            self._client.resume(*(self._client.paused() - full))
            # Acks do not wake the poll, so while jobs run it is no longer than their commits may wait.
            busy = self._out_count or self._to_rewrite or self._committing or self._unsaved
            self._poll(min(deadline - now, self._commit_interval_s) if busy else deadline - now)

    def _wait_for_mail(self, timeout_s: float) -> None:
        try:
            self._open(self._mail.get(timeout=timeout_s))
        except Empty:
            return

    def _poll(self, timeout_s: float) -> None:
        with kafka_errors(self._dead_letters.cluster, f"consume queue {self._queue_name}"):
            fetched = self._client.poll(timeout_ms=int(timeout_s * 1000), max_records=_FETCH_RECORDS)
            for partition, records in fetched.items():
                lane = self._lane(partition, records[0].offset)
                lane.buffer.extend(records)
                if lane not in self._ready:
                    self._ready.append(lane)
        self._keep_alive_at = self._clock() + _KEEP_ALIVE_S

    def _lane(self, partition: TopicPartition, first_offset: int) -> Lane:
        lane = self._lanes.get(partition)
        if lane is None:
            committed = self._client.committed(partition, metadata=True)
            # Where the committed position was trimmed or never was, the log starts later.
            if committed is None or committed.offset > first_offset or committed.offset < 0:
                committed = OffsetAndMetadata(first_offset, "", -1)
            lane = self._lanes[partition] = Lane(partition, committed)
        return lane

    # -- acks and commits

    def _open_mail(self) -> None:
        while not self._mail.empty():
            self._open(self._mail.get_nowait())

    def _open(self, mail: _Done | _NotWritten) -> None:
        if isinstance(mail, _Done):
            if mail.lane.done(mail.offset):
                self._out_count -= 1
                self._unsaved = True
        else:
            logger.error(
                "dead letter not written topic=%s partition=%d offset=%d, trying again: %s",
                *mail.lane.partition,
                mail.record.offset,
                mail.error,
            )
            self._to_rewrite.append(mail)
            self._rewrite_at = self._clock() + _RETRY_DELAY_S

    def _do_chores(self, now: float) -> None:
        if self._to_rewrite and now >= self._rewrite_at:
            waiting, self._to_rewrite = self._to_rewrite, []
            for mail in waiting:
                self._write_poison(mail.lane, mail.record, mail.poison)
        if now >= self._commit_at and not self._committing:
            self._commit_at = now + self._commit_interval_s
            offsets = self._to_commit(self._lanes)
            self._unsaved = False
            if offsets:
                self._committing = True
                self._client.commit_async(offsets, callback=self._on_committed)
        if self._trimmer.is_due(now):
            self._trimmer.trim(self._committed_positions())
        if now >= self._blocked_at:
            self._blocked_at = now + _BLOCKED_AFTER_S
            self._name_blocked(now)

    def _to_commit(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        now = self._clock()
        found = {partition: self._lanes[partition].to_commit(now) for partition in partitions}
        return {partition: offset for partition, offset in found.items() if offset is not None}

    def _on_committed(self, offsets: dict[TopicPartition, OffsetAndMetadata], result: Any) -> None:
        self._committing = False
        if not isinstance(result, Exception):
            self._note_committed(offsets)
        elif is_rebalance(result):
            logger.debug("commit waits for a rebalance queue=%s: %s", self._queue_name, result)
        else:
            logger.warning("commit failed queue=%s, trying again: %s", self._queue_name, result)
            self._commit_at = self._clock() + _RETRY_DELAY_S

    def _note_committed(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        for partition, offset in offsets.items():
            if partition in self._lanes:
                self._lanes[partition].committed(offset)

    def _committed_positions(self) -> dict[TopicPartition, int]:
        return {partition: lane.committed_position for partition, lane in self._lanes.items()}

    def _name_blocked(self, now: float) -> None:
        for lane in self._lanes.values():
            age_s = lane.blocked_for(now)
            job = lane.oldest
            if age_s >= _BLOCKED_AFTER_S and job is not None:
                logger.warning(
                    "partition blocked by a job topic=%s partition=%d offset=%d id=%s actor=%s age_s=%.0f",
                    *lane.partition,
                    job.record.offset,
                    job.message_id,
                    job.actor_name,
                    age_s,
                )

    # -- rebalance

    async def _give_up(self, partitions: Iterable[TopicPartition]) -> None:
        """Hand partitions over: start nothing more, let what runs finish for a while, commit, forget."""
        leaving = [partition for partition in partitions if partition in self._lanes]
        for partition in leaving:
            self._lanes[partition].close()
        deadline = self._clock() + self._revoke_timeout_s
        self._open_mail()
        while any(self._lanes[partition].is_running for partition in leaving) and self._clock() < deadline:
            await sleep_on_io_thread(self._client, _REVOKE_INTERVAL_S)
            self._open_mail()
        offsets = self._to_commit(leaving)
        try:
            if offsets:
                await self._client.commit_async(offsets)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the partitions are gone
            logger.warning(
                "commit on revoke failed queue=%s, jobs done since the one before run again: %s",
                self._queue_name,
                exc,
            )
        else:
            self._note_committed(offsets)
        self._forget(leaving)

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop lanes. Jobs of theirs that are still out keep their place in the prefetch until acked."""
        for partition in partitions:
            lane = self._lanes.pop(partition, None)
            if lane is not None:
                lane.close()

    # -- records that never become a job

    def _write_poison(self, lane: Lane, record: Any, poison: Undecodable) -> None:
        """Write a dead letter without waiting; mail tells how it went."""
        try:
            future = self._dead_letters.send(record, self._queue_name, Reason.UNDECODABLE, poison)
        except WorkersError as exc:
            self._mail.put(_NotWritten(lane, record, poison, exc))
            return
        future.add_callback(lambda _: self._mail.put(_Done(lane, record.offset)))
        future.add_errback(lambda exc: self._mail.put(_NotWritten(lane, record, poison, exc)))


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: QueueConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._consumer._give_up(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """A partition's lane is made with its first record."""

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._consumer._forget(lost)
