"""Moves delayed jobs on their way: down the tiers, and at their time into their queue.

Every move is produce, wait for the ack, then commit: a crash can repeat one, never lose one. Of a tier with a
constant wait only the head of each partition is looked at, and the partition is paused until that is due;
what has no constant wait is read ahead and kept in a heap. That comes first: a move down the tiers has time.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple

from ..dead_letters.letter import Reason
from ..dead_letters.writer import DeadLetterWriter
from ..errors import Undecodable, WorkersError
from ..kafka import KafkaConsumer, TopicPartition, is_joining, kafka_errors
from ..kafka.producer import DurableProducer
from ..partitions.assignment import Assignment
from ..partitions.owned_partition import OwnedPartition
from ..partitions.trimming import Trimmer
from ..records.consumed import ConsumedRecord
from ..topics import Topics
from . import tiers as delays
from .delayed_record import Delayed, delayed
from .tiers import Tier

logger = logging.getLogger(__name__)

#: Records taken from kafka-python at a time.
_FETCH_RECORDS = 500
#: What the heap may hold; beyond it no more is read, so that memory stays bounded, and jobs may be late.
_MAX_AHEAD_BYTES = 96 * 1024 * 1024
#: What Python needs for a record beside its key and value, about.
_RECORD_OVERHEAD_BYTES = 1_000
#: Records on their way with which no more are sent down the tiers, but for those that are due so soon.
_MAX_IN_FLIGHT = 60
_URGENT_MS = 3_000
#: Pause before more are.
_PAUSE_MS = 5
#: Between two looks at a tier's head, where that is due soon: many are moved at once.
_TIER_INTERVAL_MS = 50
#: Of a partition whose head is due later than that nothing is kept in memory.
_SOON_MS = 5_000
#: Longest wait in a poll while the group settles, see `is_joining`.
_JOIN_S = 0.1
#: Between two polls while something is due all the time: each lets other threads go first.
_POLL_INTERVAL_S = 0.02
#: Wait before a move that failed is tried again.
_RETRY_MS = 1_000

#: Options of the mover's consumer: its partitions are mostly paused, and what was fetched is then dropped.
CONSUMER_OPTIONS = {"max_partition_fetch_bytes": 256 * 1024, "fetch_max_bytes": 4 * 1024 * 1024}


class _Hop:
    """A record on its way out of its tier.

    Of what it holds nothing is kept: each object more that is kept of so many makes Python's garbage
    collector stop everything for longer.
    """

    __slots__ = ("lane", "record", "started")

    def __init__(self, lane: OwnedPartition, record: ConsumedRecord) -> None:
        self.lane = lane
        self.record = record
        #: Produced, and maybe not confirmed yet.
        self.started = False

    @property
    def size(self) -> int:
        return _RECORD_OVERHEAD_BYTES + len(self.record.value or b"") + len(self.record.key or b"")


class _Moved(NamedTuple):
    hop: _Hop
    error: BaseException | None


class Mover:
    """A member of the group of movers. For one thread, which calls :meth:`step` again and again."""

    def __init__(
        self,
        client: KafkaConsumer,
        producer: DurableProducer,
        dead_letters: DeadLetterWriter,
        trimmer: Trimmer,
        *,
        topics: Topics,
        tiers: Sequence[Tier],
        create_queue: Callable[[str], None],
        commit_interval_ms: int,
        revoke_timeout_ms: int,
        clock: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """``create_queue`` makes sure that a queue's topic exists, and costs nothing once it does."""
        self._client = client
        self._producer = producer
        self._dead_letters = dead_letters
        self._trimmer = trimmer
        self._topics = topics
        self._tiers = tiers
        self._tier_of = {topics.delay(tier.name): tier for tier in tiers}
        self._create_queue = create_queue
        self._commit_interval_s = commit_interval_ms / 1000
        self._clock = clock
        self._now_ms = now_ms
        self._mail: SimpleQueue[_Moved] = SimpleQueue()
        #: What waits for its exact time, and what is to be tried again.
        self._heap: list[tuple[int, int, _Hop]] = []
        self._numbers = itertools.count()
        self._ahead_bytes = 0
        #: When the head of a paused partition moves on, and what it is.
        self._parked: dict[TopicPartition, tuple[int, Delayed | Undecodable]] = {}
        self._full = False
        self._in_flight = 0
        self._poll_at = 0.0
        self._expected: set[str] = set()
        self._assignment = Assignment(
            client,
            producer.cluster,
            f"delayed jobs of {topics.namespace}",
            open_mail=self._open_mail,
            commit_interval_ms=commit_interval_ms,
            revoke_timeout_ms=revoke_timeout_ms,
            suspicious=False,
            clock=clock,
        )
        self._assignment.subscribe(self._tier_of)

    def step(self, max_wait_s: float) -> None:
        """Move what is due, then wait for the next to be due, or for records, for at most ``max_wait_s``.

        Raises KafkaUnreachable where Kafka does not answer: then close it, and make another.
        """
        now_ms = self._now_ms()
        self._open_mail()
        self._move_due(now_ms)
        self._resume_due(now_ms)
        now = self._clock()
        self._assignment.commit_if_due(now)
        if self._trimmer.is_due(now):
            self._trimmer.trim(self._assignment.committed_positions())
        wait_s = self._wait_s(max_wait_s)
        if wait_s > _POLL_INTERVAL_S or now >= self._poll_at:
            self._poll(wait_s)
            self._poll_at = self._clock() + _POLL_INTERVAL_S
        else:
            time.sleep(wait_s)

    def close(self) -> None:
        """Commit what was moved, leave the group, disconnect and trim; others go on with what is left."""
        self._trimmer.close(self._assignment.close())

    # -- moving

    def _move_due(self, now_ms: int) -> None:
        while self._heap and self._heap[0][0] <= now_ms:
            hop = heapq.heappop(self._heap)[2]
            self._ahead_bytes -= hop.size
            if not hop.lane.closed:
                self._move(hop, _job_of(hop.record), now_ms)

    def _move(self, hop: _Hop, job: Delayed | Undecodable, now_ms: int) -> None:
        """Produce to the next place without waiting; mail tells how it went."""
        hop.started = True
        self._in_flight += 1
        try:
            future = self._produce(hop.record, job, now_ms)
        except WorkersError as exc:
            self._mail.put(_Moved(hop, exc))
            return
        future.add_callback(lambda _: self._mail.put(_Moved(hop, None)))
        future.add_errback(lambda exc: self._mail.put(_Moved(hop, exc)))

    def _produce(self, record: ConsumedRecord, job: Delayed | Undecodable, now_ms: int) -> Any:
        if isinstance(job, Undecodable):
            return self._dead_letters.send(record, "", Reason.UNDECODABLE, job)
        tier = delays.next_tier(job.eta_ms, now_ms, self._tiers)
        if tier is None:
            self._create_queue(job.queue)
        topic = self._topics.delay(tier.name) if tier else self._topics.jobs(job.queue)
        return self._producer.send(topic, job.record)

    def _open_mail(self) -> None:
        failed = 0
        error: BaseException | None = None
        while not self._mail.empty():
            hop, problem = self._mail.get_nowait()
            self._in_flight -= 1
            if problem is None:
                hop.lane.done(hop.record.offset)
                self._assignment.unsaved = True
            else:
                failed, error = failed + 1, problem
                hop.started = False
                self._keep(hop, self._now_ms() + _RETRY_MS)
        if failed:
            logger.warning("delayed jobs not moved count=%d, trying again: %s", failed, error)

    def _keep(self, hop: _Hop, at_ms: int) -> None:
        self._ahead_bytes += hop.size
        heapq.heappush(self._heap, (at_ms, next(self._numbers), hop))

    # -- reading

    def _wait_s(self, max_wait_s: float) -> float:
        """Until the next is due; acks do not wake the poll, so a commit that waits for them bounds it too."""
        now_ms = self._now_ms()
        due = [at_ms for at_ms, _, _ in self._heap[:1]]
        if self._parked:
            next_turn_ms = now_ms + _PAUSE_MS if self._in_flight >= _MAX_IN_FLIGHT else now_ms
            due.append(max(next_turn_ms, min(at_ms for at_ms, _ in self._parked.values())))
        wait_s = min([max_wait_s, *((at_ms - now_ms) / 1000 for at_ms in due)])
        if self._assignment.is_saving:
            wait_s = min(wait_s, self._commit_interval_s)
        return max(0.0, wait_s)

    def _poll(self, timeout_s: float) -> None:
        self._hold_back()
        if is_joining(self._client):
            timeout_s = max(timeout_s, _JOIN_S)  # also while something is always due
        with kafka_errors(self._producer.cluster, "read delayed jobs"):
            fetched = self._client.poll(timeout_ms=_whole_ms(timeout_s), max_records=_FETCH_RECORDS)
            for partition, records in fetched.items():
                lane = self._assignment.lane(partition, records[0].offset)
                lane.buffer.extend(records)
                self._advance(lane)

    def _hold_back(self) -> None:
        """Read no further ahead while the heap is full."""
        full = self._ahead_bytes > (_MAX_AHEAD_BYTES // 2 if self._full else _MAX_AHEAD_BYTES)
        if full == self._full:
            return
        self._full = full
        exact = [p for p in self._client.assignment() if self._tier_of[p.topic].wait_ms == 0]
        if full:
            logger.warning("more jobs are due soon than the mover's memory holds, some will be late")
            self._client.pause(*exact)
        else:
            self._client.resume(*exact)

    def _advance(self, lane: OwnedPartition) -> None:
        """Move what is due of a lane's records; where the wait is constant, up to the first that is not."""
        tier = self._tier_of[lane.partition.topic]
        while (record := lane.peek()) is not None:
            now_ms = self._now_ms()
            self._move_due(now_ms)  # all these take a while
            job = _job_of(record)
            at_ms = now_ms
            if isinstance(job, Delayed):
                at_ms = delays.release_ms(tier, record.timestamp, job.eta_ms)
            if tier.wait_ms and (at_ms > now_ms or self._must_wait(job, now_ms)):
                self._park(lane, record.offset, job, at_ms, now_ms)
                return
            lane.take(self._clock())
            hop = _Hop(lane, record)
            lane.out[record.offset] = hop
            if isinstance(job, Delayed) and self._is_exact(job, tier, now_ms):
                self._expect(job.queue)
                self._keep(hop, job.eta_ms)
            else:
                self._move(hop, job, now_ms)

    def _is_exact(self, job: Delayed, tier: Tier, now_ms: int) -> bool:
        """Whether a job's next wait is the one until its due time: it need not go down for that."""
        next_tier = delays.next_tier(job.eta_ms, now_ms, self._tiers)
        if next_tier is None or next_tier.wait_ms:
            return False
        return tier.wait_ms == 0 or self._ahead_bytes < _MAX_AHEAD_BYTES // 2

    def _expect(self, queue: str) -> None:
        """Have the queue's topic and a connection at hand before the first job for it is due."""
        if queue in self._expected:
            return
        self._expected.add(queue)
        with suppress(WorkersError):  # the move will tell
            self._create_queue(queue)
            self._producer.prepare(self._topics.jobs(queue))

    def _park(
        self, lane: OwnedPartition, offset: int, job: Delayed | Undecodable, at_ms: int, now_ms: int
    ) -> None:
        """Leave a partition alone until its head is due, or others had their turn."""
        self._client.pause(lane.partition)
        if at_ms - now_ms > _SOON_MS:
            lane.buffer.clear()
            self._client.seek(lane.partition, offset)
        elif at_ms > now_ms:
            at_ms = max(at_ms, now_ms + _TIER_INTERVAL_MS)
        self._parked[lane.partition] = at_ms, job

    def _resume_due(self, now_ms: int) -> None:
        for partition, (at_ms, job) in list(self._parked.items()):
            lane = self._assignment.lanes.get(partition)
            if lane is None:
                del self._parked[partition]
            elif at_ms <= now_ms and not self._must_wait(job, now_ms):
                del self._parked[partition]  # parked again, it is behind those that still wait for their turn
                self._advance(lane)
                if not lane.buffer:
                    self._client.resume(partition)

    def _must_wait(self, job: Delayed | Undecodable, now_ms: int) -> bool:
        """Whether a job must not go down the tiers now, for the sake of those that are due."""
        if self._in_flight < _MAX_IN_FLIGHT:
            return False
        return isinstance(job, Undecodable) or job.eta_ms - now_ms > _URGENT_MS


def _job_of(record: ConsumedRecord) -> Delayed | Undecodable:
    """What a record holds, or why that is no delayed job."""
    try:
        return delayed(record)
    except Undecodable as exc:
        return exc


def _whole_ms(seconds: float) -> int:
    """Rounded up: else the last millisecond before a due time is spent polling with no time-out at all."""
    return -int(-seconds * 1000 // 1)
