"""Passes jobs that wait behind long ones on to processes with free threads.

A job runs in the process that owns its partition. While long jobs take all threads of that, those behind
them wait, though another process may idle. Giving it partitions would not help those that wait in the
partition of a long job: that cannot move before the job has ended. So the job moves, as a retry does::

    a job has not started for a second ──► who could start it at once, by the commits of the group?
        └──► take it back ──► produce it to a partition of theirs ──confirmed──► PassedOn: it is done here
                                                                  ──failed─────► it is the next to run here

A crash in between repeats the job. Only a job that may be in any partition is passed on: jobs with the same
key keep their order. One that may have killed its process stays too, as its deaths are counted by its offset.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import WorkersError
from ..kafka import KafkaConsumer, TopicPartition, committed_in, is_joining, kafka_errors
from ..kafka.membership.memberships import Memberships
from ..kafka.producing.producer import DurableProducer
from ..partitions.free_places import FreePlaces
from ..partitions.owned_partition import OwnedPartition
from ..partitions.taken_message import TakenMessage
from ..records.consumed import ConsumedRecord
from ..records.envelope import Record, size_of
from ..records.headers import filled, text_of, with_origin
from ..topics import MAX_JOB_BYTES, RETRY_ROOM_BYTES
from .acks import Inbox, PassedOn
from .still_running import EarlierJobs

logger = logging.getLogger(__name__)

#: Pause between two looks at the jobs that wait.
_LOOK_INTERVAL_S = 0.25
#: A job that has waited for so long is passed on.
_WAITED_S = 1.0
#: Longest pause before it is asked again whether another process has free threads.
_MAX_PAUSE_S = 8.0
#: dramatiq hands out so many jobs a thread.
_JOBS_OF_A_THREAD = 2
#: How long that question may take.
_ASK_TIMEOUT_S = 1.0
#: Pause between two lines in the log.
_TELL_INTERVAL_S = 10.0
#: How long no job is passed on to a partition after one could not be.
_AVOID_S = 30.0
#: The largest job that its topic takes. One of more bytes came compressed.
_MAX_BYTES = MAX_JOB_BYTES + RETRY_ROOM_BYTES
#: While jobs are passed on, no more are fetched once so many records, or bytes of them, are at hand. The last
#: poll may bring as much again.
_ENOUGH_RECORDS = 500
_ENOUGH_BYTES = 16 * 1024 * 1024


class Group(NamedTuple):
    """What a consumer knows of its group: its queue's own topic, and which processes are known to be dead."""

    client: KafkaConsumer
    producer: DurableProducer
    topic: str
    memberships: Memberships


class PassingOn:
    """Passes jobs of one queue on. For the consuming thread; the inbox gets a PassedOn for each."""

    def __init__(
        self,
        group: Group,
        prefetch: int,
        earlier: EarlierJobs,
        inbox: Inbox,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``earlier`` are the jobs that run, or have run, though their records come again."""
        self._group = group
        self._prefetch = prefetch
        self._earlier = earlier
        self._inbox = inbox
        self._clock = clock
        self._free = FreePlaces(
            group.memberships.owner, max(1, prefetch // _JOBS_OF_A_THREAD), group.memberships.is_dead
        )
        #: Partitions that could not be written, and until when they get no job.
        self._avoided: dict[TopicPartition, float] = {}
        #: When each job in hand was first seen, by partition and offset.
        self._seen: dict[tuple[TopicPartition, int], float] = {}
        #: Jobs that were taken back, and are still in dramatiq's queue: a free thread would take them out.
        self._withdrawn: list[TakenMessage] = []
        self._look_at = clock()
        self._ask_at = 0.0
        self._pause_s = _LOOK_INTERVAL_S
        #: Whether others had free threads when they were looked for.
        self._is_passing = False
        #: Whether the last look found no job in hand, and nothing else that a look would see to.
        self._has_nothing = False
        self._untold = 0
        self._tell_at = 0.0

    def look_if_due(self, partitions: Mapping[TopicPartition, OwnedPartition], in_hand_count: int) -> bool:
        """Pass on what has waited for too long, if it is time to look; True if a `busy` has changed."""
        now = self._clock()
        if now < self._look_at or (self._has_nothing and not in_hand_count):
            return False
        self._look_at = now + _LOOK_INTERVAL_S
        self._tell(0, now)
        busy = self._is_busy(partitions, now, full=in_hand_count >= self._prefetch)
        changed = [owned for owned in partitions.values() if owned.busy != busy]
        for owned in changed:
            owned.busy = busy
        if not busy:
            self._is_passing, self._ask_at, self._pause_s = False, 0.0, _LOOK_INTERVAL_S
            self._free.forget()
        elif now >= self._ask_at and not is_joining(self._group.client):
            self._pass_on(list(self._waiting(partitions)), now)
        self._has_nothing = not (busy or in_hand_count or self._withdrawn or self._untold)
        return bool(changed)

    @property
    def has_nothing(self) -> bool:
        """Whether a look would find nothing to see to while no job is in hand."""
        return self._has_nothing

    def wants_records(self, partitions: Mapping[TopicPartition, OwnedPartition]) -> bool:
        """Whether to fetch though no more jobs may be handed out."""
        if not self._is_passing:
            return False
        waiting = [record for owned in partitions.values() for record in owned.buffer]
        if len(waiting) >= _ENOUGH_RECORDS:
            return False
        # Most of them may have to stay, and those on their way are in memory until Kafka confirms them.
        moving = [
            job.record
            for owned in partitions.values()
            for job in owned.in_hand.values()
            if isinstance(job, PassedOn)
        ]
        return sum(len(record.value or b"") for record in (*waiting, *moving)) < _ENOUGH_BYTES

    def note(self, passed: PassedOn) -> None:
        """Note that a job is done here or, as it could not be passed on, give it back to its partition."""
        if passed.error is None:
            passed.owned.done(passed.record.offset)
            return
        passed.owned.give_back(passed.record)
        self._free.forget()
        if passed.place not in self._avoided:
            logger.warning(
                "jobs not passed on, they stay topic=%s partition=%d: %s", *passed.place, passed.error
            )
        self._avoided[passed.place] = self._clock() + _AVOID_S

    def _is_busy(
        self, partitions: Mapping[TopicPartition, OwnedPartition], now: float, *, full: bool
    ) -> bool:
        """Whether a job in hand has waited for too long, or none has ended for as long."""
        self._withdrawn = [job for job in self._withdrawn if not job.acked]
        jobs = {
            (partition, offset): job
            for partition, owned in partitions.items()
            for offset, job in owned.in_hand.items()
            if isinstance(job, TakenMessage)
        }
        self._seen = {place: self._seen.get(place, now) for place in jobs}
        old = [place for place, since in self._seen.items() if now - since >= _WAITED_S]
        has_waiting = bool(self._withdrawn) or any(not jobs[place].started for place in old)
        return has_waiting or (full and len(old) == len(jobs))

    def _waiting(
        self, partitions: Mapping[TopicPartition, OwnedPartition]
    ) -> Iterator[tuple[OwnedPartition, ConsumedRecord, TakenMessage | None]]:
        """The jobs that may be passed on: first those in hand, then those behind them."""
        open_ones = [owned for owned in partitions.values() if owned.partition.topic == self._group.topic]
        for owned in open_ones:
            for job in owned.in_hand.values():
                if isinstance(job, TakenMessage) and not job.started and self._may_move(owned, job.record):
                    yield owned, job.record, job
        for owned in open_ones:
            for record in owned.buffer:
                if owned.ledger.was_done(record.offset):
                    continue
                # Records are taken in their order, so one that has to stay keeps those behind it.
                if owned.full or not self._may_move(owned, record):
                    break
                yield owned, record, None

    def _pass_on(
        self, waiting: Sequence[tuple[OwnedPartition, ConsumedRecord, TakenMessage | None]], now: float
    ) -> None:
        places = self._ask(max(1, len(waiting)), now)
        self._is_passing = bool(places)
        self._pause_s = _LOOK_INTERVAL_S if places else min(2 * self._pause_s, _MAX_PAUSE_S)
        self._ask_at = now + self._pause_s
        count = 0
        for (owned, record, job), place in zip(waiting, places, strict=False):
            if job is None:
                owned.take(now)
            elif job.withdraw():
                self._withdrawn.append(job)
            else:
                continue
            count += 1
            self._send(PassedOn(owned, record, place))
        self._tell(count, now)

    def _tell(self, count: int, now: float) -> None:
        self._untold += count
        if self._untold and now >= self._tell_at:
            logger.info(
                "jobs passed on to processes with free threads topic=%s count=%d",
                self._group.topic,
                self._untold,
            )
            self._untold, self._tell_at = 0, now + _TELL_INTERVAL_S

    def _ask(self, wanted: int, now: float) -> list[TopicPartition]:
        try:
            with kafka_errors(
                self._group.producer.cluster, f"look for free threads, by the commits for {self._group.topic}"
            ):
                committed = committed_in(self._group.client, self._group.topic, _ASK_TIMEOUT_S)
        except WorkersError as exc:
            logger.debug("free threads not looked for topic=%s: %s", self._group.topic, exc)
            return []
        self._avoided = {place: until for place, until in self._avoided.items() if now < until}
        return self._free.find(committed, wanted, self._avoided)

    def _send(self, passed: PassedOn) -> None:
        passed.owned.in_hand[passed.record.offset] = passed
        copy, place = _copy_of(passed.record), passed.place.partition
        try:
            future = self._group.producer.send(self._group.topic, copy, partition=place)
        except WorkersError as exc:
            self._post(passed, exc)
            return
        future.add_callback(lambda _: self._post(passed, None))
        future.add_errback(lambda exc: self._post(passed, exc))

    def _post(self, passed: PassedOn, error: BaseException | None) -> None:
        passed.error = error
        self._inbox.put(passed)

    def _may_move(self, owned: OwnedPartition, record: ConsumedRecord) -> bool:
        """Whether a record is a job that any partition takes, and that neither runs nor is suspected."""
        if record.unreadable is not None or record.value is None:
            return False
        if self._earlier.has(owned.partition, record.offset):
            return False
        if owned.crashes is not None and owned.crashes.is_suspected(record.offset):
            return False
        copy = _copy_of(record)
        message_id = text_of("message-id", copy.headers) or ""
        return copy.key in {None, message_id.encode()} and size_of(copy) <= _MAX_BYTES


def _copy_of(record: ConsumedRecord) -> Record:
    return Record(record.key, record.value, with_origin(filled(record.headers), record), anywhere=True)
