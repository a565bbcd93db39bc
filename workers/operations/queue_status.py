"""Reads from the cluster what waits in each queue and who works on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from ..delays.tiers import Tier
from ..kafka import Cluster, TopicPartition, connect_admin, described_groups, patiently
from ..partitions.lag import Partition, by_topic, committed_by, read_logs, with_commits
from ..topics import Topics
from .expiring import Expiring, Retentions, expiring
from .first_records import FirstRecords, Unreadable
from .oldest_job import OldestJob, oldest_job


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """One queue. Counts are as fresh as the last commits of its workers, a fraction of a second."""

    queue: str
    partitions: int
    waiting: int
    #: Jobs that workers have in hand: they run, or wait in a worker's memory for a thread.
    running: int
    consumers: int
    #: Records below the committed position that are still in the queue's own topic.
    untrimmed: int
    oldest: OldestJob | None
    #: Those of the waiting records that nobody gets before a transaction of their writer has ended.
    held_up: int = 0
    unreadable: Sequence[Unreadable] = ()
    #: What is not done and will soon be deleted by Kafka.
    expiring: Sequence[Expiring] = ()


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One partition of a queue's topics. ``owner`` is the client that has it, with its address; or None."""

    topic: str
    partition: int
    waiting: int
    in_hand: int
    owner: str | None


@dataclass(frozen=True, slots=True)
class DelayedStatus:
    """The delayed jobs of all queues, and how many processes move them."""

    jobs: int
    movers: int


class StatusReader:
    """Reads the status of queues again and again; a context manager, for one thread."""

    def __init__(
        self, cluster: Cluster, topics: Topics, tiers: Sequence[Tier], topics_of: Callable[[str], list[str]]
    ) -> None:
        """``topics_of`` returns the topics that a queue's group reads, its own first."""
        self._cluster = cluster
        self._topics_of = topics_of
        self._topics = topics
        self._delay_topics = [topics.delay(tier.name) for tier in tiers]
        self._admin: Any = None
        self._first = FirstRecords(cluster)
        self._retentions = Retentions()

    def __enter__(self) -> Self:
        self._admin = connect_admin(self._cluster)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._admin.close()
        self._first.close()

    def read(self, queues: Sequence[str]) -> list[QueueStatus]:
        """The queues in their order; one whose topic does not exist has 0 partitions.

        Raises KafkaUnreachable or NotAuthorized.
        """
        return [status for status, _ in self.read_with_partitions(queues)]

    def read_with_partitions(self, queues: Sequence[str]) -> list[tuple[QueueStatus, list[PartitionStatus]]]:
        """As :meth:`read`, each with the partitions of all topics that the queue reads."""
        if not queues:
            return []
        return patiently(self._cluster, "read the status of the queues", lambda: self._read(queues))

    def read_delayed(self) -> DelayedStatus:
        """All jobs that wait in delay topics. Raises KafkaUnreachable or NotAuthorized."""
        return patiently(self._cluster, "read the status of delayed jobs", self._read_delayed)

    def unreadable_delays(self) -> list[Unreadable]:
        """The places in delay topics from which no mover gets the job that is next to move.

        Raises KafkaUnreachable or NotAuthorized.
        """
        return patiently(self._cluster, "look at the delay topics", self._unreadable_delays)

    def _unreadable_delays(self) -> list[Unreadable]:
        committed = committed_by(self._admin, self._topics.movers)
        logs = read_logs(self._admin, self._delay_topics, with_stable_ends=True)
        waiting = {name: log for name, log in with_commits(logs, committed).items() if log.not_done}
        _, stuck = self._first.read({name: log.first_undone for name, log in waiting.items()})
        return self._first.unreadable(stuck, waiting)

    def _read_delayed(self) -> DelayedStatus:
        group = self._topics.movers
        committed = committed_by(self._admin, group)
        members = described_groups(self._admin, [group])[group]["members"]
        logs = read_logs(self._admin, self._delay_topics)
        jobs = sum(partition.not_done for partition in with_commits(logs, committed).values())
        return DelayedStatus(jobs, len(members))

    def _read(self, queues: Sequence[str]) -> list[tuple[QueueStatus, list[PartitionStatus]]]:
        """All queues by the same few requests: each one costs more than what it asks for."""
        groups = {queue: self._topics.group(queue) for queue in queues}
        topics = {queue: self._topics_of(queue) for queue in queues}
        # The commits first: a job that is enqueued in between then counts as waiting.
        committed = {queue: committed_by(self._admin, group) for queue, group in groups.items()}
        described = described_groups(self._admin, list(groups.values()))
        wanted = {topic for those in topics.values() for topic in those}
        logs = by_topic(read_logs(self._admin, wanted, with_stable_ends=True))
        found = []
        for queue, group in groups.items():
            own = {name: log for topic in topics[queue] for name, log in logs.get(topic, {}).items()}
            partitions = with_commits(own, committed[queue])
            found.append(self._status(queue, topics[queue][0], partitions, described[group]["members"]))
        return found

    def _status(
        self,
        queue: str,
        own: str,
        partitions: Mapping[TopicPartition, Partition],
        members: Sequence[Mapping[str, Any]],
    ) -> tuple[QueueStatus, list[PartitionStatus]]:
        in_hand = sum(partition.in_hand for partition in partitions.values()) if members else 0
        total = sum(partition.not_done for partition in partitions.values())
        busy = {name: partition for name, partition in partitions.items() if partition.not_done}
        records, stuck = self._first.read({name: partition.first_undone for name, partition in busy.items()})
        retention_s = self._retentions.of(self._admin, {record.topic for record in records})
        now_s = time.time()
        status = QueueStatus(
            queue=queue,
            partitions=len(partitions),
            waiting=total - in_hand,
            running=in_hand,
            consumers=len(members),
            untrimmed=sum(found.untrimmed for name, found in partitions.items() if name.topic == own),
            oldest=oldest_job(records, busy, now_s, has_members=bool(members)),
            held_up=sum(partition.held_up for partition in partitions.values()),
            unreadable=self._first.unreadable(stuck, busy),
            expiring=expiring(records, retention_s, now_s),
        )
        return status, _partition_statuses(partitions, members)


def _partition_statuses(
    partitions: Mapping[TopicPartition, Partition], members: Sequence[Mapping[str, Any]]
) -> list[PartitionStatus]:
    owners = {
        (assigned["topic"], number): f"{member['client_id']} at {member['client_host'].lstrip('/')}"
        for member in members
        if isinstance(member["member_assignment"], dict)  # bytes while the group assigns anew
        for assigned in member["member_assignment"]["assigned_partitions"]
        for number in assigned["partitions"]
    }
    return [
        PartitionStatus(
            topic=name.topic,
            partition=name.partition,
            waiting=partition.not_done - partition.in_hand,
            in_hand=partition.in_hand,
            owner=owners.get((name.topic, name.partition)),
        )
        for name, partition in partitions.items()
    ]
