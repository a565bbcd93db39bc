"""The consumer of one queue: polls, hands out jobs, notes their acks, commits.

One thread owns the Kafka client, the partitions and the commits; there are no locks. What happens on other
threads reaches it as acks in its inbox::

    Kafka ──poll──► OwnedPartition.buffer ──take──► TakenMessage ──► dramatiq's work queue ──► worker threads
                      │                                                                             │
                      │ cannot be read, killed too often, unknown actor                            ack
                      ▼                                                                              ▼
                    GivenUpRecords ──► dead letter ──Settled──────────────────────────────────► the inbox
                                                                                                     │
    Kafka ◄── commit: position, and what is done above it ◄── Ledger ◄── done ◄──────────────────────┘

dramatiq calls ``next()`` again and again. Each call notes the acks, commits and trims if that is due, and
hands out one job if one may start: fewer than ``prefetch`` are in hand, and a commit that must come first has
come. If none may start it waits for acks, and polls all the same: polling carries the rebalances, and a
consumer that does not poll is put out of its group. So a job may run for hours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from queue import Empty

import dramatiq

from ..dead_letters.writer import DeadLetterWriter
from ..kafka import KafkaConsumer, TopicPartition
from ..kafka.producing.producer import DurableProducer
from ..partitions.assignment import Assignment
from ..partitions.crash_counts import ALONE_FROM
from ..partitions.owned_partition import OwnedPartition
from ..partitions.taken_message import TakenMessage
from ..partitions.trimming import Trimmer
from ..records.consumed import ConsumedRecord
from ..records.decoding import QueueDecoder
from .acks import Ack, Inbox, NotWritten, PassedOn
from .blocked import BLOCKED_AFTER_S, BlockedPartitions
from .commit_first import CommitFirst
from .given_up import GivenUpRecords
from .messages import Messages
from .passing_on import Group, PassingOn
from .polling import KEEP_ALIVE_S, Poller
from .shared import Shared
from .sleep import Sleep
from .still_running import EarlierJobs
from .suspects import Suspects
from .turns import Turns

#: Pause between two looks at what is due besides handing out jobs.
_CHORES_INTERVAL_S = 0.01


class QueueConsumer(dramatiq.Consumer):
    """Consumes one queue's topics; ``ack`` and ``nack`` from any thread, all else from one at a time.

    At most ``prefetch`` messages are handed out and not yet acked, whatever waits in the log.
    """

    def __init__(
        self,
        client: KafkaConsumer,
        producer: DurableProducer,
        dead_letters: DeadLetterWriter,
        trimmer: Trimmer,
        shared: Shared,
        *,
        client_id: str,
        queue_name: str,
        topics: Sequence[str],
        decoder: QueueDecoder,
        prefetch: int,
        timeout_ms: int,
        commit_interval_ms: int,
        revoke_timeout_ms: int,
        blocked_after_s: float = BLOCKED_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Join the queue's group. ``shared`` is that of all consumers of the process.

        The first of ``topics`` is the queue's own.
        """
        self._cluster = dead_letters.cluster
        self._trimmer = trimmer
        self._run_alone = shared.run_alone
        self._gate = shared.gate
        self._queue_name = queue_name
        self._paused = False
        self._prefetch = prefetch
        self._timeout_s = timeout_ms / 1000
        self._commit_interval_s = commit_interval_ms / 1000
        self._clock = clock
        self._inbox = Inbox()
        self._suspects = Suspects(shared.run_alone)
        self._earlier = EarlierJobs(shared.still_running)
        self._poller = Poller(client, self._cluster, queue_name, self._take_in, clock)
        self.is_member = self._poller.is_member
        self._given_up = GivenUpRecords(dead_letters, queue_name, self._inbox, clock)
        self._messages = Messages(decoder, self._given_up, self._inbox)
        group = Group(client, producer, topics[0], shared.memberships)
        self._passing_on = PassingOn(group, prefetch, self._earlier, self._inbox, clock)
        self._assignment = Assignment(
            client,
            self._cluster,
            shared.memberships,
            client_id,
            f"queue {queue_name}",
            read_inbox=self._read_inbox,
            commit_interval_ms=commit_interval_ms,
            revoke_timeout_ms=revoke_timeout_ms,
            on_dropped=self._earlier.leave,
            clock=clock,
        )
        self._turns = Turns()
        self._sleep = Sleep(client)
        self._in_hand_count = 0
        #: Whether records are there, but none may be handed out just now.
        self._held_up = False
        self._chores_at = clock()
        self._blocked = BlockedPartitions(blocked_after_s, clock())
        self._commits = self._assignment.commits
        self._commit_first = CommitFirst(self._commits, clock)
        self._assignment.subscribe(topics)
        shared.at_work.add(self._assignment)

    def __next__(self) -> TakenMessage | None:
        """Hand out the next message; None if none came, or none may be handed out, within the timeout."""
        deadline = self._clock() + self._timeout_s
        while True:
            now = self._clock()
            # Once for all that follows: it is asked before each job.
            self._paused = not self._gate.is_open and self._gate.is_paused(self._queue_name)
            if not self._inbox.empty():
                self._read_inbox()
            if now >= self._chores_at:
                self._do_chores(now)
            taken = self._take(now)
            if taken is not None:
                return taken
            if now >= deadline:
                return None
            self._wait(now, deadline)

    def ack(self, message: dramatiq.MessageProxy) -> None:
        """Note that a message is done; does nothing for a repeated ack or a partition that was taken away."""
        assert isinstance(message, TakenMessage)
        message.ack()  # to the consumer that waits for it, which may not be this one

    def nack(self, message: dramatiq.MessageProxy) -> None:
        """Write the message's dead letter, wait until Kafka has it, and only then let its offset go.

        The consuming thread does not wait. Raises a BrokerConnectionError if the letter cannot be written:
        dramatiq then calls again.
        """
        assert isinstance(message, TakenMessage)
        self._given_up.nack(message)

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        """Do nothing: the next owner gets the messages that were not run, as they are not committed."""

    def close(self) -> None:
        """Commit what is done, leave the group, disconnect and trim; the next owner gets what is not done."""
        committed = self._assignment.close()
        # Jobs that still run are acked to the consumer that gets their partition back, or to nobody.
        if self._suspects.close():
            self._in_hand_count -= 1
        self._run_alone.leave(self._in_hand_count)
        self._in_hand_count = 0
        self._trimmer.close(committed)

    def _take(self, now: float) -> TakenMessage | None:
        self._held_up = False
        if self._paused:
            self._suspects.stand_back(self._commit_first)
            return None
        if self._suspects.have_come and self._suspects.are_waiting:
            suspect = self._suspects.take(self._commit_first)
            if suspect is not None:
                self._in_hand_count += 1
                return self._messages.of(*suspect)
        for owned in self._turns:
            taken = self._take_from(owned, now)
            if taken is not None or self._in_hand_count >= self._prefetch or self._held_up:
                return taken
        return None

    def _take_from(self, owned: OwnedPartition, now: float) -> TakenMessage | None:
        while owned.buffer and self._in_hand_count < self._prefetch and not owned.full:
            if (owned.must_commit_first() and not self._commit_first()) or not self._run_alone.enter():
                self._held_up = True
                return None
            record = owned.take(now)
            if record is None:
                self._run_alone.leave()
                return None
            if (taken := self._hand_out(owned, record)) is not None:
                return taken
        return None

    def _hand_out(self, owned: OwnedPartition, record: ConsumedRecord) -> TakenMessage | None:
        job = self._earlier.job_of(owned, record) if self._earlier.jobs else None
        if job is not None:
            self._take_over(owned, job)
            return None
        deaths = owned.crashes.deaths_of(record.offset) if owned.crashes else 0
        if deaths == ALONE_FROM:
            self._run_alone.leave()
            self._suspects.add(owned, record)
            return None
        self._in_hand_count += 1
        return self._messages.of(owned, record, deaths)

    def _take_over(self, owned: OwnedPartition, job: TakenMessage) -> None:
        """Wait for a job of an earlier assignment that runs here already, or note that it is done."""
        if self._earlier.take_over(owned, job, self._inbox):
            self._in_hand_count += 1
        else:
            self._run_alone.leave()  # it has its slot still
        self._commits.unsaved = True

    def _wait(self, now: float, deadline: float) -> None:
        """Wait for something to do: for an ack if no more may be handed out now, else for records."""
        # Neither acks nor looks wake the poll, so while some are to come it ends when a commit may be due.
        to_come = self._in_hand_count or self._suspects.are_waiting or self._given_up.are_waiting
        to_come = to_come or not (self._paused or self._passing_on.has_nothing)
        longest_s = deadline - now
        if to_come or self._commits.is_saving:
            longest_s = min(longest_s, self._commit_interval_s)
        if self._paused:
            self._poller.stay(longest_s)
            return
        may_start_none = self._in_hand_count >= self._prefetch or self._held_up
        if may_start_none and not self._passing_on.wants_records(self._assignment.partitions):
            if not self._poller.keep_alive(now):
                self._wait_for_ack(min(deadline - now, KEEP_ALIVE_S))
            return
        if self._in_hand_count and (rest_s := self._poller.rest_s(now)) > 0:
            self._wait_for_ack(min(rest_s, deadline - now))
            return
        if to_come or not self._commits.is_at_rest or self._sleep(self._trimmer.due_in_s(now)):
            full = {partition for partition, owned in self._assignment.partitions.items() if owned.full}
            self._poller.poll(longest_s, full)

    def _wait_for_ack(self, timeout_s: float) -> None:
        with suppress(Empty):
            self._run_alone.leave(self._note(self._inbox.get(timeout=timeout_s)))

    def _take_in(self, partition: TopicPartition, records: Sequence[ConsumedRecord]) -> None:
        owned = self._assignment.owned(partition, records[0].offset)
        owned.buffer.extend(records)
        self._earlier.expect(partition)
        self._turns.add(owned)

    def _read_inbox(self) -> None:
        left = 0
        for _ in range(self._inbox.qsize()):
            left += self._note(self._inbox.get_nowait())
        if left:
            self._run_alone.leave(left)

    def _note(self, ack: Ack) -> int:
        """Note an ack; returns how many jobs that did not run alone are no longer in hand."""
        if isinstance(ack, PassedOn):
            self._passing_on.note(ack)
            self._turns.add(ack.owned)
            self._commits.unsaved = True
            return 0
        if isinstance(ack, NotWritten) or (isinstance(ack, TakenMessage) and ack.given_up):
            self._given_up.note(ack)
            return 0
        owned, offset = ack.owned, ack.record.offset
        if isinstance(ack, TakenMessage) and ack.handed_back:
            if not ack.withdrawn and not owned.hand_back(offset):
                return 0
            if ack.put_back:
                owned.give_back(ack.record)
                self._turns.add(owned)
                self._suspects.put_back(owned, offset)
        elif not owned.done(offset):
            return 0
        self._in_hand_count -= 1
        self._commits.unsaved = True
        return 0 if self._suspects.have_come and self._suspects.note_done(owned, offset) else 1

    def _do_chores(self, now: float) -> None:
        self._chores_at = now + _CHORES_INTERVAL_S
        self._given_up.retry_if_due(now)
        self._commits.start_if_due(now)
        if self._trimmer.is_due(now):
            self._trimmer.trim(self._commits.positions())
        partitions = self._assignment.partitions
        self._blocked.look_if_due(partitions.values(), now)
        # While it is paused, its jobs wait where they are.
        if not self._paused and self._passing_on.look_if_due(partitions, self._in_hand_count):
            self._commits.unsaved = True
