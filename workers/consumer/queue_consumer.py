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

from ..dead_letters.letter import Reason
from ..dead_letters.writer import DeadLetterWriter
from ..errors import Undecodable, WorkerDied, WorkersError
from ..kafka import KafkaConsumer, is_joining, kafka_errors
from ..partitions.assignment import RETRY_DELAY_S, Assignment
from ..partitions.crash_counts import ALONE_FROM, GIVEN_UP_FROM
from ..partitions.owned_partition import OwnedPartition, TakenMessage
from ..partitions.trimming import Trimmer
from ..records.consumed import ConsumedRecord
from ..records.decoding import QueueDecoder
from .run_alone import RunAlone

logger = logging.getLogger(__name__)

#: Records taken from kafka-python at a time: what lies between the log and the prefetch.
_FETCH_RECORDS = 500
#: How often Kafka is polled while no more jobs are wanted: polling carries rebalances, and a consumer that
#: does not poll is put out of its group.
_KEEP_ALIVE_S = 0.1
#: Between two looks at what is due besides handing out jobs.
_CHORES_INTERVAL_S = 0.01
#: Wait before a commit is tried again that was refused and that jobs wait for.
_TELL_AGAIN_S = 0.05
#: A partition whose oldest job runs for so long is named in the log, and again each time this has passed.
_BLOCKED_AFTER_S = 60.0


class _Settled(NamedTuple):
    """Mail: nothing more is to do about a record that is not handed out."""

    lane: OwnedPartition
    record: ConsumedRecord


class _NotWritten(NamedTuple):
    """Mail: the dead letter of a record that is not handed out could not be written."""

    lane: OwnedPartition
    record: ConsumedRecord
    verdict: _Verdict
    error: BaseException


class _Verdict(NamedTuple):
    """Why a record is not handed out."""

    reason: Reason
    error: WorkersError
    message: dramatiq.Message[Any] | None = None


#: A delivery as mail says that its job is done.
_Mail = TakenMessage | _Settled | _NotWritten


class QueueConsumer(dramatiq.Consumer):
    """Consumes one queue's topics; ``ack`` and ``nack`` from any thread, all else from one at a time.

    At most ``prefetch`` messages are handed out and not yet acked, whatever waits in the log.
    """

    def __init__(
        self,
        client: KafkaConsumer,
        dead_letters: DeadLetterWriter,
        trimmer: Trimmer,
        solo: RunAlone,
        *,
        queue_name: str,
        topics: Iterable[str],
        intake: QueueDecoder,
        prefetch: int,
        timeout_ms: int,
        commit_interval_ms: int,
        revoke_timeout_ms: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._dead_letters = dead_letters
        self._trimmer = trimmer
        self._solo = solo
        self._queue_name = queue_name
        self._intake = intake
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
        self._ready: deque[OwnedPartition] = deque()
        self._mail: SimpleQueue[_Mail] = SimpleQueue()
        self._out_count = 0
        #: Jobs that will run with no other in this process, and the one that does.
        self._suspects: deque[tuple[OwnedPartition, ConsumedRecord]] = deque()
        self._alone: tuple[OwnedPartition, int] | None = None
        #: Records are there, and none may be handed out just now.
        self._held_up = False
        #: A commit that jobs wait for was refused: not again before.
        self._tell_at = 0.0
        self._to_rewrite: list[_NotWritten] = []
        self._rewrite_at = 0.0
        self._keep_alive_at = self._chores_at = clock()
        self._blocked_at = clock() + _BLOCKED_AFTER_S
        self._assignment.subscribe(topics)

    def __next__(self) -> TakenMessage | None:
        """Hand out the next message; None where none came, or none may be handed out, within the timeout."""
        deadline = self._clock() + self._timeout_s
        while True:
            now = self._clock()
            self._open_mail()
            if now >= self._chores_at:
                self._do_chores(now)
            delivery = self._take(now)
            if delivery is not None:
                return delivery
            if now >= deadline:
                return None
            self._wait(now, deadline)

    def ack(self, message: dramatiq.MessageProxy) -> None:
        """Note that a message is done; does nothing for a repeated ack or a partition that was taken away."""
        assert isinstance(message, TakenMessage)
        # To the consumer that handed it out; dramatiq acks to the one that runs now, maybe its successor.
        message.mail.put(message)

    def nack(self, message: dramatiq.MessageProxy) -> None:
        """Write the message's dead letter, wait until Kafka has it, and only then let its offset go.

        Raises a BrokerConnectionError where it cannot be written: dramatiq then calls again.
        """
        assert isinstance(message, TakenMessage)
        self._dead_letters.write(message)
        self.ack(message)

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        """Hand back messages that were not run: they are not committed, so the next owner gets them."""

    def close(self) -> None:
        """Commit what is done, leave the group, disconnect and trim; the next owner gets what is not done."""
        committed = self._assignment.close()
        # What still runs is acked to this consumer, which opens no mail any more.
        if self._alone is not None:
            self._solo.leave_alone()
            self._alone, self._out_count = None, self._out_count - 1
        elif self._suspects:
            self._solo.abandon()
        self._solo.leave(self._out_count)
        self._out_count = 0
        self._trimmer.close(committed)

    # -- handing out

    def _take(self, now: float) -> TakenMessage | None:
        self._held_up = False
        if self._suspects and self._alone is None:
            suspect = self._take_alone(now)
            if suspect is not None:
                return suspect
        for _ in range(len(self._ready)):
            lane = self._ready[0]
            while self._out_count < self._prefetch and not lane.full and self._may_start(lane, now):
                record = lane.take(now)
                if record is None:
                    self._solo.leave()
                    break
                delivery = self._hand_out(lane, record)
                if delivery is not None:
                    return delivery
            if self._out_count >= self._prefetch or self._held_up:
                return None
            self._ready.popleft()
            if lane.buffer:
                self._ready.append(lane)
        return None

    def _may_start(self, lane: OwnedPartition, now: float) -> bool:
        """Count a job where one may start here now, and Kafka knows what it must before the lane's next."""
        if not lane.buffer:
            return False
        may_start = (not lane.must_tell() or self._tell(now)) and self._solo.enter()
        self._held_up = not may_start
        return may_start

    def _tell(self, now: float) -> bool:
        if now < self._tell_at:
            return False
        told = self._assignment.tell()
        if not told:
            self._tell_at = now + _TELL_AGAIN_S
        return told

    def _take_alone(self, now: float) -> TakenMessage | None:
        """Hand out a suspected job once nothing else is in hand in this process."""
        lane, record = self._suspects[0]
        if lane.closed or lane.suspicion is None:
            self._suspects.popleft()
            self._solo.abandon()
            return None
        if not self._solo.enter_alone():
            return None
        lane.suspicion.plan_alone(record.offset)
        if not self._tell(now):
            lane.suspicion.unplan_alone(record.offset)
            self._solo.leave_alone()
            return None
        self._suspects.popleft()
        self._out_count += 1
        self._alone = lane, record.offset
        logger.warning(
            "job runs alone, processes died while they held it topic=%s partition=%d offset=%d",
            *lane.partition,
            record.offset,
        )
        return self._decoded(lane, record)

    def _hand_out(self, lane: OwnedPartition, record: ConsumedRecord) -> TakenMessage | None:
        deaths = lane.suspicion.deaths_of(record.offset) if lane.suspicion else 0
        if deaths == ALONE_FROM:
            self._solo.leave()
            self._suspects.append((lane, record))
            return None
        self._out_count += 1
        return self._decoded(lane, record, deaths)

    def _decoded(self, lane: OwnedPartition, record: ConsumedRecord, deaths: int = 0) -> TakenMessage | None:
        """The message of a record that is in hand; None where it becomes a dead letter, or is no job."""
        try:
            message = self._intake.decode(record)
        except Undecodable as exc:
            self._give_up(lane, record, _Verdict(Reason.UNDECODABLE, exc))
            return None
        if message is None:
            self._mail.put(_Settled(lane, record))
            return None
        if deaths >= GIVEN_UP_FROM:
            error = WorkerDied(f"{deaths} worker processes died while they held the job: {WorkerDied()}")
            self._give_up(lane, record, _Verdict(Reason.CRASHED, error, message))
            return None
        delivery = lane.out[record.offset] = TakenMessage(message, record, lane, self._mail)
        return delivery

    # -- waiting

    def _wait(self, now: float, deadline: float) -> None:
        """Wait for something to do: an ack where no more may be handed out now, else records."""
        if self._out_count >= self._prefetch or self._held_up:
            if now < self._keep_alive_at or not self._keep_alive():
                self._wait_for_mail(min(deadline - now, _KEEP_ALIVE_S))
        else:
            full = {partition for partition, lane in self._assignment.lanes.items() if lane.full}
            self._client.pause(*full)
            self._client.resume(*(self._client.paused() - full))
            # Acks do not wake the poll, so while jobs run it is no longer than their commits may wait.
            busy = self._out_count or self._suspects or self._to_rewrite or self._assignment.is_saving
            self._poll(min(deadline - now, self._commit_interval_s) if busy else deadline - now)

    def _keep_alive(self) -> bool:
        """Poll while no records are wanted; True while the group settles: to be called again at once."""
        # All stay paused until a fetch is wanted: kafka-python may throw away and fetch again what it holds
        # for a partition whose pausing flaps.
        self._client.pause(*self._client.assignment())
        joining = is_joining(self._client)
        self._poll(_KEEP_ALIVE_S if joining else 0)
        if joining:
            self._keep_alive_at = self._clock()
        return joining

    def _wait_for_mail(self, timeout_s: float) -> None:
        try:
            mail = self._mail.get(timeout=timeout_s)
        except Empty:
            return
        self._solo.leave(self._open(mail))

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
        left = 0
        while not self._mail.empty():
            left += self._open(self._mail.get_nowait())
        if left:
            self._solo.leave(left)

    def _open(self, mail: _Mail) -> int:
        """Note what the mail says; returns how many jobs that did not run alone are no longer in hand."""
        if isinstance(mail, _NotWritten):
            logger.error(
                "dead letter not written topic=%s partition=%d offset=%d, trying again: %s",
                *mail.lane.partition,
                mail.record.offset,
                mail.error,
            )
            self._to_rewrite.append(mail)
            self._rewrite_at = self._clock() + RETRY_DELAY_S
            return 0
        lane, offset = mail.lane, mail.record.offset
        handed_back = isinstance(mail, TakenMessage) and mail.handed_back
        if not (lane.hand_back(offset) if handed_back else lane.done(offset)):
            return 0
        self._out_count -= 1
        self._assignment.unsaved = True
        if self._alone is not None and self._alone == (lane, offset):
            self._alone = None
            self._solo.leave_alone()
            return 0
        return 1

    def _do_chores(self, now: float) -> None:
        self._chores_at = now + _CHORES_INTERVAL_S
        if self._to_rewrite and now >= self._rewrite_at:
            waiting, self._to_rewrite = self._to_rewrite, []
            for mail in waiting:
                self._give_up(mail.lane, mail.record, mail.verdict)
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
            if age_s >= _BLOCKED_AFTER_S and isinstance(job, TakenMessage):
                logger.warning(
                    "partition blocked by a job topic=%s partition=%d offset=%d id=%s actor=%s age_s=%.0f",
                    *lane.partition,
                    job.record.offset,
                    job.message_id,
                    job.actor_name,
                    age_s,
                )

    # -- records that are not handed out

    def _give_up(self, lane: OwnedPartition, record: ConsumedRecord, verdict: _Verdict) -> None:
        """Write a dead letter without waiting; mail tells how it went."""
        try:
            future = self._dead_letters.send(
                record, self._queue_name, verdict.reason, verdict.error, verdict.message
            )
        except WorkersError as exc:
            self._mail.put(_NotWritten(lane, record, verdict, exc))
            return
        future.add_callback(lambda _: self._mail.put(_Settled(lane, record)))
        future.add_errback(lambda exc: self._mail.put(_NotWritten(lane, record, verdict, exc)))
