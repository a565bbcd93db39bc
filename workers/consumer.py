"""The consumer of one queue: polls, hands out jobs, collects their acks, commits.

kafka-python's consumer is not thread-safe and dramatiq acks from worker threads, so an ack is mail:
worker threads post what is done, and the one thread that consumes opens it. That thread owns the client,
the lanes and the commits; there are no locks.
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
from .assignment import RETRY_DELAY_S, Assignment
from .client import KafkaConsumer, kafka_errors
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
#: A partition whose oldest job runs for so long is named in the log, and again each time this has passed.
_BLOCKED_AFTER_S = 60.0


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
        self._clock = clock

        self._assignment = Assignment(
            client,
            dead_letters.cluster,
            f"queue {queue_name}",
            open_mail=self._open_mail,
            commit_interval_ms=commit_interval_ms,
            revoke_timeout_ms=revoke_timeout_ms,
            clock=clock,
        )
        #: Lanes with fetched records; the first one's turn lasts until its records are handed out.
        self._ready: deque[Lane] = deque()
        self._mail: SimpleQueue[_Done | _NotWritten] = SimpleQueue()
        self._out_count = 0
        self._to_rewrite: list[_NotWritten] = []
        self._rewrite_at = 0.0
        self._keep_alive_at = clock()
        self._blocked_at = clock() + _BLOCKED_AFTER_S
        self._assignment.subscribe([topic])

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
        self._trimmer.close(self._assignment.close())

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
            full = {partition for partition, lane in self._assignment.lanes.items() if lane.full}
            self._client.pause(*full)
            self._client.resume(*(self._client.paused() - full))
            # Acks do not wake the poll, so while jobs run it is no longer than their commits may wait.
            busy = self._out_count or self._to_rewrite or self._assignment.is_saving
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
                lane = self._assignment.lane(partition, records[0].offset)
                lane.buffer.extend(records)
                if lane not in self._ready:
                    self._ready.append(lane)
        self._keep_alive_at = self._clock() + _KEEP_ALIVE_S

    # -- acks and chores

    def _open_mail(self) -> None:
        while not self._mail.empty():
            self._open(self._mail.get_nowait())

    def _open(self, mail: _Done | _NotWritten) -> None:
        if isinstance(mail, _Done):
            if mail.lane.done(mail.offset):
                self._out_count -= 1
                self._assignment.unsaved = True
        else:
            logger.error(
                "dead letter not written topic=%s partition=%d offset=%d, trying again: %s",
                *mail.lane.partition,
                mail.record.offset,
                mail.error,
            )
            self._to_rewrite.append(mail)
            self._rewrite_at = self._clock() + RETRY_DELAY_S

    def _do_chores(self, now: float) -> None:
        if self._to_rewrite and now >= self._rewrite_at:
            waiting, self._to_rewrite = self._to_rewrite, []
            for mail in waiting:
                self._write_poison(mail.lane, mail.record, mail.poison)
        self._assignment.commit_if_due(now)
        if self._trimmer.is_due(now):
            self._trimmer.trim(self._assignment.committed_positions())
        if now >= self._blocked_at:
            self._blocked_at = now + _BLOCKED_AFTER_S
            self._name_blocked(now)

    def _name_blocked(self, now: float) -> None:
        for lane in self._assignment.lanes.values():
            age_s = lane.blocked_for(now)
            job = lane.oldest
            if age_s >= _BLOCKED_AFTER_S and isinstance(job, Delivery):
                logger.warning(
                    "partition blocked by a job topic=%s partition=%d offset=%d id=%s actor=%s age_s=%.0f",
                    *lane.partition,
                    job.record.offset,
                    job.message_id,
                    job.actor_name,
                    age_s,
                )

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
