"""Reads, counts and drops the delayed jobs of a namespace, in whichever tier they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ..dead_letters.letter import Reason
from ..dead_letters.writer import DeadLetterWriter
from ..errors import Undecodable
from ..kafka import Cluster, TopicPartition, awaited, connect_admin, delete_records_below, patiently
from ..kafka.producing.producer import DurableProducer
from ..kafka.topic_reader import TopicReader
from ..partitions import commit_metadata
from ..partitions.lag import LagReader
from ..partitions.ledger import Progress
from ..records.consumed import ConsumedRecord
from ..records.headers import texts_of
from ..topics import Topics
from .delayed_record import Delayed, job_of
from .tiers import Tier


@dataclass(frozen=True, slots=True)
class DelayedJob:
    """A job that waits for its time. ``eta_ms`` is when that is; ``record`` is where it waits."""

    eta_ms: int
    queue: str
    actor: str | None
    message_id: str | None
    tier: str
    record: ConsumedRecord


def read(cluster: Cluster, topics: Topics, tiers: Sequence[Tier]) -> Iterator[DelayedJob]:
    """Yield the jobs that wait now, in no particular order.

    A job that moves meanwhile may come twice, or not at all if it moves to a part that was read already.
    Raises KafkaUnreachable or NotAuthorized.
    """
    tier_of = {topics.delay(tier.name): tier.name for tier in tiers}
    for record in _not_moved(cluster, topics, tier_of):
        job = job_of(record)
        if isinstance(job, Delayed):
            text = texts_of(record.headers)
            actor, message_id = text.get("actor"), text.get("message-id")
            yield DelayedJob(job.eta_ms, job.queue, actor, message_id, tier_of[record.topic], record)


def delete(
    cluster: Cluster,
    topics: Topics,
    tiers: Sequence[Tier],
    queues: Collection[str],
    producer: DurableProducer,
) -> None:
    """Drop the delayed jobs of some queues.

    Kafka deletes only from a log's beginning: jobs of other queues are written again first, due when they
    were, so they may run twice if a mover moves them at the same moment. What is no delayed job becomes a
    dead letter, as a mover would make of it. A job that is due within the minute may be in a mover's memory
    and then still runs, like a job that a worker has in hand.
    """
    dead_letters = DeadLetterWriter(producer, topics.dead_letters, topics.movers)
    limits: dict[TopicPartition, int] = {}
    kept = []
    for record in _not_moved(cluster, topics, [topics.delay(tier.name) for tier in tiers]):
        limits[TopicPartition(record.topic, record.partition)] = record.offset + 1
        job = job_of(record)
        if isinstance(job, Undecodable):
            kept.append(dead_letters.send(record, None, Reason.UNDECODABLE, job))
        elif job.queue not in queues:
            # Not as it came: a length of time would be counted again from now.
            kept.append(producer.send(record.topic, job.record))
    for future in kept:
        awaited(future, cluster, "write delayed jobs of other queues again")
    delete_records_below(cluster, limits)


class Waiting:
    """Counts the delayed jobs of one queue again and again; a context manager, for one thread."""

    def __init__(self, cluster: Cluster, topics: Topics, tiers: Sequence[Tier], queue: str) -> None:
        self._cluster = cluster
        self._topics = topics
        self._tiers = tiers
        self._queue = queue
        self._lag = LagReader(cluster, [topics.delay(tier.name) for tier in tiers], topics.movers)
        self._written = 0

    def __enter__(self) -> Self:
        self._lag.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._lag.__exit__(kind, exc, tb)

    def count(self) -> int:
        """The delayed jobs of the queue. Raises KafkaUnreachable."""
        self._written = self._lag.written()
        if not self._lag.not_done():
            return 0
        return sum(job.queue == self._queue for job in read(self._cluster, self._topics, self._tiers))

    def grown(self) -> int:
        """How many delayed jobs, of any queue, were written since the last count."""
        return self._lag.written() - self._written


def _progress(cluster: Cluster, group: str) -> dict[TopicPartition, Progress]:
    with connect_admin(cluster) as admin:
        doing = f"read the positions of group {group}"
        committed = patiently(cluster, doing, lambda: admin.list_group_offsets(group).get(group, {}))
    return {
        partition: commit_metadata.decode(known.offset, known.metadata)
        for partition, known in committed.items()
        if known.offset >= 0
    }


def _not_moved(cluster: Cluster, topics: Topics, names: Iterable[str]) -> Iterator[ConsumedRecord]:
    """The records of delay topics that no mover has moved or made a dead letter of."""
    progress = _progress(cluster, topics.movers)
    with TopicReader(cluster, *names) as reader:
        for record in reader.read_to_end():
            if _is_open(record.offset, progress.get(TopicPartition(record.topic, record.partition))):
                yield record


def _is_open(offset: int, progress: Progress | None) -> bool:
    return progress is None or offset >= progress.end or offset in progress.undone
