"""Knows the topics that a broker needs, and creates those that are missing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..delays.tiers import Tier
from ..errors import InvalidName, WorkersError
from ..kafka import Cluster, create_missing_topics
from ..kafka.producing.shared_attempt import SharedAttempt, again
from ..records.sources import Source
from ..topics import (
    Topics,
    TopicSpec,
    control_spec,
    dead_letters_spec,
    delay_spec,
    fleet_spec,
    jobs_spec,
    stats_spec,
)

logger = logging.getLogger(__name__)

#: A job that waits for its exact time waits for less than this.
_SOON_MS = 60_000
#: After how long a topic of another application that could not be created is tried again.
_REFUSED_S = 5.0
#: In the set of prepared queues: the topics that are of no queue exist.
_COMMON = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """How many partitions and copies a new topic gets, and how long one of jobs keeps them."""

    partitions: int
    replication_factor: int | None
    jobs_retention_ms: int | None = None


class Provisioning:
    """Knows the topics of a broker's queues, and which of them are known to exist. Safe for any thread."""

    def __init__(
        self,
        cluster: Cluster,
        topics: Topics,
        tiers: Sequence[Tier],
        layout: Layout,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Does no I/O."""
        self._clock = clock
        self._cluster = cluster
        self._topics = topics
        self._tiers = tiers
        self._layout = layout
        self._sources: dict[str, list[Source]] = {}
        self._logs: dict[str, Mapping[str, str]] = {}
        #: Queues whose topics are known to exist, and those that somebody waits for.
        self._prepared: set[str] = set()
        self._wanted: set[str] = set()
        #: Queues of others that cannot be prepared: since when, and why.
        self._refused: dict[str, tuple[float, WorkersError]] = {}
        self._attempt = SharedAttempt(cluster, "look up topics", self._create_missing)

    def add_source(self, queue: str, source: Source) -> None:
        """Let a queue read one more topic. Raises InvalidName for one that it reads already."""
        if source.topic in self.topics_of(queue):
            raise InvalidName(f"queue {queue} reads topic {source.topic} already")
        self._sources.setdefault(queue, []).append(source)
        self._prepared.discard(queue)

    def add_log(self, topic: str, config: Mapping[str, str]) -> None:
        """Let there be a topic besides those of the queues, with this configuration if it is created."""
        self._logs[topic] = config
        self._prepared.clear()

    def sources_of(self, queue: str) -> Sequence[Source]:
        """The topics that a queue reads besides its own."""
        return self._sources.get(queue, ())

    def topics_of(self, queue: str) -> list[str]:
        """The topics that a queue's group reads: its own first, then its sources."""
        return [self._topics.jobs(queue), *(source.topic for source in self.sources_of(queue))]

    def is_prepared(self, queues: Iterable[str]) -> bool:
        """Whether the topics of these queues are known to exist."""
        return bool(self._prepared) and self._prepared.issuperset(queues)

    def prepare(self, queues: Iterable[str], deadline: float | None = None) -> list[str]:
        """Create the topics of these queues that do not exist, and return their names.

        Blocks until ``deadline`` at most, by the monotonic clock. Kafka is asked once for all who call it at
        the same time. Raises KafkaUnreachable, TopicsMissing or NotAuthorized.
        """
        if self.is_prepared(queues):  # as for almost every send
            return []
        wanted, created = list(queues), []
        while not self.is_prepared(wanted):
            self._wanted.update(wanted)
            created += self._attempt.wait(_left(deadline))
        return created

    async def prepare_async(self, queues: Iterable[str], deadline: float | None = None) -> None:
        """Do as :meth:`prepare` does without blocking the event loop."""
        wanted = list(queues)
        while not self.is_prepared(wanted):
            self._wanted.update(wanted)
            await self._attempt.wait_async(_left(deadline))

    def prepare_foreign(self, queue: str) -> None:
        """Create the topic of a queue that another application declares, if it does not exist. Blocks.

        Raises as :meth:`prepare`. For some seconds it then raises that again at once: whoever moves thousands
        of jobs of such a queue would ask Kafka for each, and those of all other queues would wait.
        """
        if queue in self._prepared:
            return
        since, error = self._refused.get(queue, (0.0, None))
        if error is not None and self._clock() - since < _REFUSED_S:
            raise again(error)
        try:
            create_missing_topics(self._cluster, [self._jobs(queue)])
        except WorkersError as exc:
            now = self._clock()
            self._refused = {name: one for name, one in self._refused.items() if now - one[0] < _REFUSED_S}
            self._refused[queue] = (now, again(exc))  # without the frames that its trace would keep
            raise
        self._refused.pop(queue, None)
        self._prepared.add(queue)

    def _create_missing(self) -> list[str]:
        queues = list(self._wanted)
        created = create_missing_topics(self._cluster, self.specs(queues))
        if created:
            logger.info("topics created %s", ", ".join(created))
        self._prepared.update(queues, [_COMMON])
        self._wanted.difference_update(queues)
        return created

    def specs(self, queues: Iterable[str]) -> list[TopicSpec]:
        """The topics of these queues and all that goes with them, as they would be created."""
        names = list(queues)
        partitions, copies = self._layout.partitions, self._layout.replication_factor
        jobs = [self._jobs(queue) for queue in names]
        delayed = [self._delayed(tier) for tier in self._tiers]
        # Two queues may read the same source.
        sources = {
            source.topic: TopicSpec(source.topic, partitions, copies, source.config, is_source=True)
            for queue in names
            for source in self.sources_of(queue)
        }
        logs = [TopicSpec(name, partitions, copies, config) for name, config in self._logs.items()]
        return [
            *sources.values(),
            *logs,
            *jobs,
            *delayed,
            dead_letters_spec(self._topics, partitions, copies),
            control_spec(self._topics, copies),
            fleet_spec(self._topics, copies),
            stats_spec(self._topics, copies),
        ]

    def _jobs(self, queue: str) -> TopicSpec:
        layout = self._layout
        spec = jobs_spec(self._topics, queue, layout.partitions, layout.replication_factor)
        return spec.kept_for(layout.jobs_retention_ms)

    def _delayed(self, tier: Tier) -> TopicSpec:
        """A delay topic keeps a job for as long as it waits there, and then as a job topic does."""
        layout = self._layout
        spec = delay_spec(self._topics, tier.name, layout.partitions, layout.replication_factor)
        kept_ms = layout.jobs_retention_ms
        return spec.kept_for(None if kept_ms is None else max(tier.wait_ms, _SOON_MS) + kept_ms)


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
