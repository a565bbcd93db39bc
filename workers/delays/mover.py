"""Moves delayed jobs down the tiers, and into their queue when they are due.

Each record takes one hop at a time; `tiers.next_tier` decides its next topic when it leaves::

    delay.12d ─► delay.3d ─► ... ─► delay.1m ─┬─► delay.soon ─► ReadAhead ─► jobs.<queue>, at the due time
      │            │                  │       └──────────────►─┘
      └────────────┴──────────────────┴── the head of each partition waits, the partition is paused

A tier with a wait has that same wait for all its records, so the head of a partition is always the next to
leave: until then the partition is parked, that is, paused and mostly not in memory. A record whose next wait
lasts until its due time is read ahead and kept in a heap; the last tier, ``soon``, is for those that had
no room there.

Each step moves the due records of the heap, then due heads, commits, and polls until the next is due.
The heap comes first: a move down the tiers is not urgent, so only some of those are under way at once.

Every hop is produce, wait for the confirmation, then commit: a crash can repeat a hop, never lose one. The
confirmation comes on the producer's thread, which posts it to the inbox; all else is done by one thread.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from ..dead_letters.letter import Reason
from ..dead_letters.writer import DeadLetterWriter
from ..errors import InvalidName, MessageTooLarge, Undecodable, WorkersError
from ..kafka import KafkaConsumer, Memberships, TopicPartition, kafka_errors, must_wait
from ..kafka.producing.producer import DurableProducer
from ..measures.catalogue import DELAYED_LATE
from ..partitions.assignment import Assignment
from ..partitions.owned_partition import OwnedPartition
from ..partitions.trimming import Trimmer
from ..records.consumed import ConsumedRecord
from ..records.envelope import require_size
from ..topics import MAX_JOB_BYTES, RETRY_ROOM_BYTES, Topics
from . import tiers as delays
from .clock_lead import ClockLead
from .delayed_record import Delayed, Job, job_of
from .read_ahead import MAX_AHEAD_BYTES, Hop, Moved, ReadAhead
from .tiers import Tier

logger = logging.getLogger(__name__)

_FETCH_RECORDS = 500  # taken from kafka-python at a time
#: With so many hops under way no more records go down the tiers, except urgent ones, which are due soon.
_MAX_IN_FLIGHT = 60
_URGENT_MS = 3_000
_PAUSE_MS = 5  # before the next go down
#: Pause between two looks at a tier's head that is due soon: so several are moved at once.
_TIER_INTERVAL_MS = 50
#: If a partition's head is due later than this, none of its records are kept in memory.
_SOON_MS = 5_000
#: Longest wait in a poll while the group settles, see `must_wait`.
_JOIN_S = 0.1
#: Pause between two polls while something is always due.
_POLL_INTERVAL_S = 0.02
#: Pause before a failed move is tried again.
_RETRY_MS = 1_000
#: Options of the mover's consumer: small fetches, as pausing a partition drops its fetched records.
CONSUMER_OPTIONS = {"max_partition_fetch_bytes": 256 * 1024, "fetch_max_bytes": 4 * 1024 * 1024}


class Mover:
    """A member of the group of movers. For one thread, which calls :meth:`step` again and again."""

    def __init__(
        self,
        client: KafkaConsumer,
        producer: DurableProducer,
        dead_letters: DeadLetterWriter,
        trimmer: Trimmer,
        memberships: Memberships,
        *,
        client_id: str,
        topics: Topics,
        tiers: Sequence[Tier],
        create_queue: Callable[[str], None],
        commit_interval_ms: int,
        revoke_timeout_ms: int,
        max_ahead_bytes: int = MAX_AHEAD_BYTES,
        clock: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Join the group of movers. ``max_ahead_bytes`` bounds the memory for what is read before its time.

        ``create_queue`` makes sure that a queue's topic exists, and costs nothing once it does.
        """
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
        self._inbox: SimpleQueue[Moved] = SimpleQueue()
        self._ahead = ReadAhead(max_ahead_bytes)
        #: The head of each paused partition, and when it moves on.
        self._parked: dict[TopicPartition, tuple[int, Job]] = {}
        #: Whether reading ahead is suspended.
        self._held_back = False
        self._in_flight = 0
        self._poll_at = 0.0
        self._lead = ClockLead()
        self._expected: set[str] = set()
        self._assignment = Assignment(
            client,
            producer.cluster,
            memberships,
            client_id,
            f"delayed jobs of {topics.namespace}",
            read_inbox=self._read_inbox,
            commit_interval_ms=commit_interval_ms,
            revoke_timeout_ms=revoke_timeout_ms,
            counts_crashes=False,
            clock=clock,
        )
        self._assignment.subscribe(self._tier_of)

    def step(self, max_wait_s: float) -> None:
        """Move the due records, then wait for the next one or for new records, for at most ``max_wait_s``.

        Raises KafkaUnreachable if Kafka does not answer: then close it, and make another.
        """
        now_ms = self._now_ms()
        self._read_inbox()
        self._move_due(now_ms)
        self._resume_due(now_ms)
        now = self._clock()
        self._assignment.commits.start_if_due(now)
        if self._trimmer.is_due(now):
            self._trimmer.trim(self._assignment.commits.positions())
        wait_s = self._wait_s(max_wait_s)
        if wait_s > _POLL_INTERVAL_S or now >= self._poll_at:
            self._poll(wait_s)
            self._poll_at = self._clock() + _POLL_INTERVAL_S
        else:
            time.sleep(wait_s)

    def close(self) -> None:
        """Commit what was moved, leave the group, disconnect and trim; other movers go on with the rest."""
        self._trimmer.close(self._assignment.close())

    def _move_due(self, now_ms: int) -> None:
        while hop := self._ahead.pop_due(now_ms):
            if not hop.owned.closed:
                self._move(hop, job_of(hop.record), now_ms)

    def _move(self, hop: Hop, job: Job, now_ms: int) -> None:
        """Produce to the next topic without waiting; the inbox gets a Moved."""
        hop.started, self._in_flight = True, self._in_flight + 1
        try:
            future = self._produce(hop.record, job, now_ms)
        except WorkersError as exc:
            self._inbox.put(Moved(hop, exc))
            return
        future.add_callback(lambda _: self._inbox.put(Moved(hop, None)))
        future.add_errback(lambda exc: self._inbox.put(Moved(hop, exc)))

    def _produce(self, record: ConsumedRecord, job: Job, now_ms: int) -> Any:
        """Produce the record, or a dead letter if it can never move. A WorkersError means: try again."""
        if isinstance(job, Undecodable):
            return self._dead_letters.send(record, None, Reason.UNDECODABLE, job)
        tier = delays.next_tier(job.eta_ms, now_ms, self._tiers, lead_ms=self._lead.ms)
        try:
            topic = self._topics.delay(tier.name) if tier else self._topics.jobs(job.queue)
            require_size(job.record, "the delayed job", MAX_JOB_BYTES + RETRY_ROOM_BYTES)
        except (InvalidName, MessageTooLarge) as exc:
            reason = Reason.FAILED if isinstance(exc, MessageTooLarge) else Reason.UNDECODABLE
            return self._dead_letters.send(record, None, reason, exc)
        if tier is None:
            DELAYED_LATE.observe(max(0, now_ms - job.eta_ms) / 1000)
            self._create_queue(job.queue)
            return self._producer.send(topic, job.record)
        return self._producer.send(topic, job.record).add_callback(self._lead.note, now_ms)

    def _read_inbox(self) -> None:
        problems: list[BaseException] = []
        while not self._inbox.empty():
            hop, problem = self._inbox.get_nowait()
            self._in_flight -= 1
            if problem is None:
                hop.owned.done(hop.record.offset)
                self._assignment.commits.unsaved = True
            else:
                problems.append(problem)
                hop.started = False
                self._ahead.push(hop, self._now_ms() + _RETRY_MS)
        if problems:
            logger.warning("delayed jobs not moved count=%d, trying again: %s", len(problems), problems[-1])

    def _wait_s(self, max_wait_s: float) -> float:
        """Seconds until the next record or a commit is due: confirmations do not wake the poll."""
        now_ms = self._now_ms()
        due = [at_ms for at_ms in (self._ahead.next_at_ms(),) if at_ms is not None]
        if self._parked:
            next_turn_ms = now_ms + _PAUSE_MS if self._in_flight >= _MAX_IN_FLIGHT else now_ms
            due.append(max(next_turn_ms, min(at_ms for at_ms, _ in self._parked.values())))
        wait_s = min([max_wait_s, *((at_ms - now_ms) / 1000 for at_ms in due)])
        if self._assignment.commits.is_saving:
            wait_s = min(wait_s, self._commit_interval_s)
        return max(0.0, wait_s)

    def _poll(self, timeout_s: float) -> None:
        self._hold_back()
        if must_wait(self._client):
            timeout_s = max(timeout_s, _JOIN_S)  # also while something is always due
        with kafka_errors(self._producer.cluster, "read delayed jobs"):
            fetched = self._client.poll(timeout_ms=math.ceil(timeout_s * 1000), max_records=_FETCH_RECORDS)
            for partition, records in fetched.items():
                owned = self._assignment.owned(partition, records[0].offset)
                owned.buffer.extend(records)
                self._advance(owned)

    def _hold_back(self) -> None:
        """Pause the tier that is read ahead while there is no room for more."""
        full = self._ahead.is_full()
        if full and not self._held_back:
            logger.warning("more jobs are due soon than the mover's memory holds, some will be late")
        if full or self._held_back:  # each time, as partitions may have come since
            exact = [p for p in self._client.assignment() if self._tier_of[p.topic].wait_ms == 0]
            (self._client.pause if full else self._client.resume)(*exact)
        self._held_back = full

    def _advance(self, owned: OwnedPartition) -> None:
        """Move a partition's due records; in a tier with a wait, up to the first one that is not due."""
        tier = self._tier_of[owned.partition.topic]
        while (record := owned.peek()) is not None:
            now_ms = self._now_ms()
            self._move_due(now_ms)  # moving all the others takes a while
            job = job_of(record)
            at_ms = now_ms
            if isinstance(job, Delayed):
                at_ms = delays.release_ms(tier, record.timestamp, job.eta_ms)
            if tier.wait_ms and (at_ms > now_ms or self._must_wait(job, now_ms)):
                self._park(owned, record.offset, job, at_ms, now_ms)
                return
            owned.take(self._clock())
            hop = Hop(owned, record)
            owned.in_hand[record.offset] = hop
            if isinstance(job, Delayed) and self._is_exact(job, tier, now_ms):
                self._expect(job.queue)
                self._ahead.push(hop, job.eta_ms)
            else:
                self._move(hop, job, now_ms)

    def _is_exact(self, job: Delayed, tier: Tier, now_ms: int) -> bool:
        """Whether a job's next wait lasts until its due time: then it need not go down."""
        next_tier = delays.next_tier(job.eta_ms, now_ms, self._tiers, lead_ms=self._lead.ms)
        is_last = next_tier is not None and not next_tier.wait_ms
        return is_last and (tier.wait_ms == 0 or self._ahead.has_room())

    def _expect(self, queue: str) -> None:
        """Prepare the queue's topic and a connection before the first job for it is due."""
        if queue in self._expected:
            return
        self._expected.add(queue)
        with suppress(WorkersError):  # the move itself reports it
            self._create_queue(queue)
            self._producer.prepare(self._topics.jobs(queue))

    def _park(self, owned: OwnedPartition, offset: int, job: Job, at_ms: int, now_ms: int) -> None:
        """Leave a partition alone until its head is due, or until other partitions have had their turn."""
        self._client.pause(owned.partition)
        if at_ms - now_ms > _SOON_MS:
            owned.buffer.clear()
            self._client.seek(owned.partition, offset)
        elif at_ms > now_ms:
            at_ms = max(at_ms, now_ms + _TIER_INTERVAL_MS)
        self._parked[owned.partition] = at_ms, job

    def _resume_due(self, now_ms: int) -> None:
        for partition, (at_ms, job) in list(self._parked.items()):
            owned = self._assignment.partitions.get(partition)
            if owned is None:
                del self._parked[partition]
            elif at_ms <= now_ms and not self._must_wait(job, now_ms):
                del self._parked[partition]  # parked again, it goes behind those that wait for their turn
                self._advance(owned)
                if not owned.buffer and partition not in self._parked:
                    self._client.resume(partition)

    def _must_wait(self, job: Job, now_ms: int) -> bool:
        """Whether a job must not go down the tiers now, because it would delay those that are due."""
        is_urgent = isinstance(job, Delayed) and job.eta_ms - now_ms <= _URGENT_MS
        return self._in_flight >= _MAX_IN_FLIGHT and not is_urgent
