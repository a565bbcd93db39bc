"""Finds out why a job waits, or what became of it: the reason has a name, and a sentence says the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..broker.kafka_broker import KafkaBroker
from ..controls.watch import Watch
from ..dead_letters.filter import require_id
from ..dead_letters.letter import DeadLetter
from ..dead_letters.selection import Search
from ..delays import waiting_jobs
from ..display.times import timestamp
from ..errors import Undecodable
from ..fleet.process import JobAtWork, Process
from ..kafka import TopicPartition, connect_admin, patiently
from ..kafka.topic_reader import TopicReader
from ..partitions import commit_metadata
from ..partitions.lag import Partition, committed_by, read_partitions
from ..records.consumed import ConsumedRecord
from ..records.decoding import QueueDecoder
from ..records.headers import text_of


class Reason(StrEnum):
    """Why a job does not run yet, or not any more."""

    RUNNING = "running"
    IN_HAND = "in-hand"
    PAUSED = "paused"
    NO_WORKER = "no-worker"
    KEY = "key"
    BEHIND = "behind"
    DELAYED = "delayed"
    HELD = "held"
    DEAD_LETTER = "dead-letter"
    DONE = "done"
    NO_TRACE = "no-trace"


@dataclass(frozen=True, slots=True)
class Why:
    """The answer for one job; ``facts`` are values for scripts."""

    id: str
    reason: Reason
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Found:
    """A job's record in a queue, and its partition as the group has committed it."""

    id: str
    queue: str
    record: ConsumedRecord
    log: Partition

    @property
    def is_done(self) -> bool:
        if self.log.position is None:
            return False
        progress = commit_metadata.decode(self.log.position, self.log.metadata)
        return self.record.offset < progress.end and self.record.offset not in progress.undone

    @property
    def is_in_hand(self) -> bool:
        if self.log.position is None:
            return False
        return self.record.offset in commit_metadata.decode(self.log.position, self.log.metadata).undone

    @property
    def ahead(self) -> int:
        """How many jobs of its partition that are not done stand before it."""
        if self.log.position is None:
            return self.record.offset - self.log.start
        progress = commit_metadata.decode(self.log.position, self.log.metadata)
        before = sum(self.log.start <= offset < self.record.offset for offset in progress.undone)
        return before + max(0, self.record.offset - max(progress.end, self.log.start))

    @property
    def owner(self) -> str:
        """The name of the process that has its partition; empty if none has."""
        return commit_metadata.decode_crash_counts(self.log.position or 0, self.log.metadata).owner

    @property
    def place(self) -> str:
        return f"{self.record.topic}/{self.record.partition}/{self.record.offset}"

    @property
    def key(self) -> str | None:
        """The key that keeps it in its partition; None if any partition would do."""
        key = (self.record.key or b"").decode(errors="replace")
        return None if key in {"", self.id} else key


def why(broker: KafkaBroker, job_id: str, now: Callable[[], float] = time.time) -> Why:
    """Look for a job by its message id, or how that begins: with the workers, then in the topics.

    Reads what waits in the queues and the dead letters, so it may take a while. A job that moves meanwhile
    may be seen as it was before. Raises WrongUsage for an empty id, KafkaUnreachable or NotAuthorized.
    """
    require_id(job_id)
    with broker.controls.watch() as watch:
        for process in watch.processes():
            for job in process.jobs:
                if job.id.startswith(job_id):
                    return _at_work(job, process, now())
        letters = Search(broker.producer, broker.topics.dead_letters).similar(job_id)
        if letters:
            return _given_up(letters[0])
        done: _Found | None = None
        for found in _in_queues(broker, job_id):
            if not found.is_done:
                watch.refresh()  # the search may have taken long
                return _waiting(found, watch, now())
            done = found
    for delayed in waiting_jobs.read(broker.cluster, broker.topics, broker.delay_tiers):
        if delayed.message_id and delayed.message_id.startswith(job_id):
            due = timestamp(delayed.eta_ms)
            facts = {"queue": delayed.queue, "until": due}
            return Why(delayed.message_id, Reason.DELAYED, f"delayed until {due}", facts)
    if done is not None:
        return Why(done.id, Reason.DONE, "done", {"queue": done.queue, "place": done.place})
    text = "no trace of it: it is done and deleted from its queue, or was never sent here"
    return Why(job_id, Reason.NO_TRACE, text)


def _at_work(job: JobAtWork, process: Process, now_s: float) -> Why:
    facts = {"queue": job.queue, "actor": job.actor, "place": job.place, "worker": process.worker}
    if job.since_ms is None:
        text = f"in hand of worker {process.worker}, waits for a thread{_busy_with(process, now_s)}"
        return Why(job.id, Reason.IN_HAND, text, facts)
    since = timestamp(job.since_ms)
    text = f"runs on worker {process.worker} since {since}, for {_age(job.since_ms, now_s)}"
    return Why(job.id, Reason.RUNNING, text, facts | {"since": since})


def _given_up(letter: DeadLetter) -> Why:
    facts = {"queue": letter.queue, "actor": letter.actor, "since": timestamp(letter.time_ms)}
    if letter.held_by is not None:
        text = f"held by the switch {letter.held_by} since {timestamp(letter.time_ms)}, until that is lifted"
        return Why(letter.id, Reason.HELD, text, facts | {"switch": letter.held_by})
    text = f"a dead letter since {timestamp(letter.time_ms)}, {letter.reason}"
    text += f": {letter.error}" if letter.error else ""
    return Why(letter.id, Reason.DEAD_LETTER, text, facts | {"why": letter.reason})


def _waiting(found: _Found, watch: Watch, now_s: float) -> Why:
    facts: dict[str, Any] = {"queue": found.queue, "place": found.place, "ahead": found.ahead}
    pause = watch.state.paused(now_s * 1000).get(found.queue)
    if pause is not None:
        text = f"queue {found.queue} is paused {pause.note.told(now_s * 1000)}"
        return Why(found.id, Reason.PAUSED, text, facts | pause.note.values())
    owner = next((one for one in watch.processes() if one.name == found.owner), None)
    if owner is None:
        text = f"no worker has its partition {found.record.topic}/{found.record.partition}"
        if not any(found.queue in one.queues for one in watch.processes()):
            text = f"no worker runs the queue {found.queue}"
        return Why(found.id, Reason.NO_WORKER, text, facts)
    facts["worker"] = owner.worker
    busy = _busy_with(owner, now_s)
    if found.is_in_hand:
        return Why(found.id, Reason.IN_HAND, f"in hand of worker {owner.worker}{busy}", facts)
    text = f"behind {found.ahead} others of its partition, which worker {owner.worker} has{busy}"
    if found.key is not None and owner.running >= owner.threads:
        text = (
            f"its key {found.key} keeps it with worker {owner.worker}{busy}; {found.ahead} others before it"
        )
        return Why(found.id, Reason.KEY, text, facts | {"key": found.key})
    return Why(found.id, Reason.BEHIND, text, facts)


def _busy_with(process: Process, now_s: float) -> str:
    running = [job for job in process.jobs if job.since_ms is not None]
    if not running or process.running < process.threads:
        return ""
    oldest = min(running, key=lambda job: job.since_ms or 0)
    age = _age(oldest.since_ms or 0, now_s)
    return f", whose {process.threads} threads are busy: {oldest.actor} {oldest.id} runs for {age}"


def _in_queues(broker: KafkaBroker, job_id: str) -> Iterator[_Found]:
    """Every record of the job in the queues: in a queue's own topic also one that is done and still there."""
    for queue in sorted(broker.queues):
        logs = _logs(broker, queue)
        decoder = QueueDecoder(queue, broker.sources_of(queue))
        with TopicReader(broker.cluster, *broker.topics_of(queue)) as reader:
            for partition, log in logs.items():
                start = log.first_undone if partition.topic in decoder.topics else log.start
                records = reader.read_partition(partition, log.end, start=start) if start < log.end else ()
                for record in (one for some in records for one in some):
                    found = _id_of(record, decoder)
                    if found is not None and found.startswith(job_id):
                        yield _Found(found, queue, record, log)


def _logs(broker: KafkaBroker, queue: str) -> dict[TopicPartition, Partition]:
    with connect_admin(broker.cluster) as admin:

        def read() -> dict[TopicPartition, Partition]:
            committed = committed_by(admin, broker.topics.group(queue))
            return read_partitions(admin, broker.topics_of(queue), committed)

        return patiently(broker.cluster, f"read the positions of queue {queue}", read)


def _id_of(record: ConsumedRecord, decoder: QueueDecoder) -> str | None:
    if record.topic not in decoder.topics and (found := text_of("message-id", record.headers)):
        return found
    try:
        message = decoder.decode(record)
    except Undecodable:
        return None
    return None if message is None else message.message_id


def _age(since_ms: int, now_s: float) -> str:
    return f"{max(0.0, now_s - since_ms / 1000):.0f} s"
