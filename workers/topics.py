"""Names the topics and says how each is created. Pure: no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from .errors import InvalidName

#: Kafka's own limit on a topic's name, in bytes (org.apache.kafka.common.internals.Topic).
MAX_NAME_BYTES = 249
_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")

#: How many bytes a job may grow by when it is tried again or replayed: its last error, more headers.
RETRY_ROOM_BYTES = 32 * 1024
#: How many bytes a dead letter may have beyond the job it keeps: headers with error and traceback.
DEAD_LETTER_ROOM_BYTES = 64 * 1024
#: The largest job when it is sent, in bytes as Kafka counts a record batch: its default for a topic.
MAX_JOB_BYTES = 1_048_588
#: The largest dead letter.
MAX_DEAD_LETTER_BYTES = MAX_JOB_BYTES + RETRY_ROOM_BYTES + DEAD_LETTER_ROOM_BYTES
#: Partitions of a delay topic at most: there are many such topics, and one group shares them all.
MAX_DELAY_PARTITIONS = 4
#: Copies of a topic on a cluster that can have them, and how many have a record before it is confirmed.
COPIES, MIN_COPIES = 3, 2
_MIN_COPIES = "min.insync.replicas"
#: How long the history is kept: thirty days, and the day that goes on.
_STATS_MS = 31 * 24 * 3_600_000
_STATS_SEGMENT_BYTES = 4 * 1024 * 1024
_SEGMENT_BYTES = 64 * 1024 * 1024
#: Settings that decide how small a topic is kept, and not what becomes of its records.
TUNING = frozenset(
    (
        "segment.ms",
        "segment.bytes",
        "min.cleanable.dirty.ratio",
        "max.compaction.lag.ms",
        "delete.retention.ms",
    )
)
#: How long the last report of a process that was killed is kept.
_FLEET_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it should be; a replication factor of None is chosen by the cluster, see :meth:`on`.

    ``is_source``: others own it, so workers write nothing into it and delete nothing from it.
    ``is_optional``: workers run without it, if they may not create it.
    ``has_jobs``: it holds what is to be done, so workers delete what is done from it.
    """

    name: str
    partitions: int
    replication_factor: int | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    is_source: bool = False
    is_optional: bool = False
    has_jobs: bool = False

    @property
    def expires(self) -> bool:
        """Whether Kafka deletes its records by their age."""
        return self.config.get("retention.ms", "-1") != "-1"

    @property
    def is_log(self) -> bool:
        """Whether it holds facts that Kafka deletes by their age."""
        return self.expires and not self.has_jobs

    def kept_for(self, retention_ms: int | None) -> TopicSpec:
        """The topic with records that Kafka deletes at this age; None leaves it as it is."""
        if retention_ms is None:
            return self
        return replace(self, config={**self.config, "retention.ms": str(retention_ms)})

    def on(self, brokers: int) -> TopicSpec:
        """The topic as it should be on a cluster of so many brokers.

        It gets three copies where there are three brokers or more, and else the cluster's default. Of three
        copies, two must have a record before it is confirmed.
        """
        copies = self.replication_factor or (COPIES if brokers >= COPIES else None)
        if copies is None or copies < COPIES:
            return replace(self, replication_factor=copies)
        return replace(self, replication_factor=copies, config={_MIN_COPIES: str(MIN_COPIES), **self.config})


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one namespace, and their consumer groups."""

    namespace: str

    def __post_init__(self) -> None:
        _checked(self.dead_letters)

    def jobs(self, queue: str) -> str:
        """Topic of the messages that wait in ``queue``. Raises InvalidName."""
        if not queue:
            raise InvalidName("a queue needs a name: it is empty")
        return _checked(f"{self.namespace}.jobs.{queue}")

    def named(self, name: str) -> str:
        """Another topic of the namespace, such as a log of events that a queue reads."""
        return _checked(f"{self.namespace}.{name}")

    @property
    def actions(self) -> str:
        """The log of what operators have done."""
        return f"{self.namespace}.actions"

    @property
    def dead_letters(self) -> str:
        return f"{self.namespace}.dead-letters"

    @property
    def control(self) -> str:
        """Topic of what operators have decided, such as that a queue is paused."""
        return f"{self.namespace}.control"

    @property
    def fleet(self) -> str:
        """Topic in which each worker process says that it runs, and what it does."""
        return f"{self.namespace}.fleet"

    @property
    def stats(self) -> str:
        """The history of what the worker processes do."""
        return f"{self.namespace}.stats"

    def delay(self, tier: str) -> str:
        """Topic of the delayed jobs of one tier."""
        return f"{self.namespace}.delay.{tier}"

    @property
    def movers(self) -> str:
        """Consumer group of all delay topics."""
        return f"{self.namespace}.movers"

    def group(self, queue: str) -> str:
        """Consumer group of ``queue``: one per queue, so that a rebalance of one leaves the others alone."""
        return f"{self.namespace}.workers.{queue}"


def jobs_spec(topics: Topics, queue: str, partitions: int, replication_factor: int | None) -> TopicSpec:
    """A queue's own topic. It never expires: retention by time would delete jobs that nobody has run yet."""
    return TopicSpec(topics.jobs(queue), partitions, replication_factor, _keeps_all(), has_jobs=True)


def delay_spec(topics: Topics, tier: str, partitions: int, replication_factor: int | None) -> TopicSpec:
    """A delay topic, kept as a queue's. The cluster stamps what it appends, as the wait begins there."""
    config = _keeps_all() | {"message.timestamp.type": "LogAppendTime"}
    partitions = min(partitions, MAX_DELAY_PARTITIONS)
    return TopicSpec(topics.delay(tier), partitions, replication_factor, config, has_jobs=True)


def _keeps_all() -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        # Trimming frees the disk by whole segments, so a partition without jobs still takes one segment.
        "segment.bytes": str(_SEGMENT_BYTES),
        "max.message.bytes": str(MAX_JOB_BYTES + RETRY_ROOM_BYTES),
    }


def log_config(retention_ms: int) -> dict[str, str]:
    """The configuration of a log of facts: many may read it, and it keeps records for a while, read or not.

    The cluster stamps what it appends. By the writer's own stamp, which may be of 1970 or of 2062, a fact
    would be deleted before a worker has seen it, or never.
    """
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_ms),
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MAX_JOB_BYTES),
    }


def actions_spec(topics: Topics) -> TopicSpec:
    """The log of what operators have done, in one order; it is kept for ever.

    The cluster stamps what it appends, as those that act tell by the times of others whether these go on.
    """
    config = {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "message.timestamp.type": "LogAppendTime",
    }
    return TopicSpec(topics.actions, 1, None, config)


def dead_letters_spec(topics: Topics, partitions: int, replication_factor: int | None) -> TopicSpec:
    """Compacted: one entry per job, and a tombstone resolves it."""
    config = {"cleanup.policy": "compact", "max.message.bytes": str(MAX_DEAD_LETTER_BYTES)}
    return TopicSpec(topics.dead_letters, partitions, replication_factor, config)


def control_spec(topics: Topics, replication_factor: int | None) -> TopicSpec:
    """Compacted, and of one partition: all processes apply what operators decide in the same order.

    The cluster stamps what it appends, as the time of a decision is compared with that of reports.
    """
    config = {"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"}
    return TopicSpec(topics.control, 1, replication_factor, config, is_optional=True)


def fleet_spec(topics: Topics, replication_factor: int | None) -> TopicSpec:
    """Compacted, and short: processes write often, and whoever asks for them reads all of it."""
    config = {
        "cleanup.policy": "compact,delete",
        "retention.ms": str(_FLEET_MS),
        "segment.ms": str(_FLEET_MS // 6),
        "message.timestamp.type": "LogAppendTime",
    }
    return TopicSpec(topics.fleet, 1, replication_factor, config, is_optional=True)


def stats_spec(topics: Topics, replication_factor: int | None) -> TopicSpec:
    """Compacted, and deleted after thirty days; in small files, as whoever draws it reads all of it.

    Processes that come and go end many keys, so compaction must not wait for long, nor must what ended them.
    """
    config = {
        "cleanup.policy": "compact,delete",
        "retention.ms": str(_STATS_MS),
        "segment.ms": str(3_600_000),
        "segment.bytes": str(_STATS_SEGMENT_BYTES),
        "min.cleanable.dirty.ratio": "0.1",
        "max.compaction.lag.ms": str(3_600_000),
        "delete.retention.ms": str(3_600_000),
    }
    return TopicSpec(topics.stats, 1, replication_factor, config, is_optional=True)


@lru_cache(maxsize=1024)
def _checked(name: str) -> str:
    if not _LEGAL.fullmatch(name):
        raise InvalidName(f"{name!r} is no topic name: only letters, digits, '.', '_' and '-' are allowed")
    if len(name) > MAX_NAME_BYTES:
        raise InvalidName(f"{name[:40]}... is no topic name: {len(name)} bytes, Kafka takes {MAX_NAME_BYTES}")
    return name
