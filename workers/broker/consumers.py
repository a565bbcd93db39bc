"""Makes the members of consumer groups: those that run a queue's jobs, and those that move delayed jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import dramatiq

from ..consumer.at_work import AtWork
from ..consumer.queue_consumer import QueueConsumer
from ..consumer.run_alone import RunAlone
from ..consumer.shared import Shared
from ..consumer.still_running import StillRunning
from ..controls.follower import Follower
from ..controls.gate import Gate
from ..dead_letters.writer import DeadLetterWriter
from ..delays.mover import CONSUMER_OPTIONS, Mover
from ..delays.tiers import Tier
from ..errors import WrongUsage
from ..fleet.reporter import Reporter
from ..kafka import Heartbeats, KafkaConsumer, Memberships, connect_consumer, measure
from ..kafka.abilities import tell_lacks
from ..kafka.producing.producer import DurableProducer
from ..partitions.trimming import Trimmer
from ..records.decoding import QueueDecoder
from ..records.sources import Source
from ..topics import Topics
from .look import Look
from .provisioning import Provisioning

#: How long the close of a client may take that has joined no group yet.
_CLOSE_MS = 1_000


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How consumers run; the meanings are those of :class:`KafkaBroker`'s parameters."""

    commit_interval_ms: int
    revoke_timeout_ms: int
    trim_interval_ms: int
    keep_done_ms: int
    session_timeout_ms: int
    kafka_options: Mapping[str, Any] = field(default_factory=dict)


class Consumers:
    """Connects consumers and movers of one namespace. Safe for any thread."""

    def __init__(
        self,
        producer: DurableProducer,
        topics: Topics,
        tiers: Sequence[Tier],
        provisioning: Provisioning,
        options: ConsumerOptions,
        *,
        gate: Gate,
    ) -> None:
        self._producer = producer
        self._cluster = producer.cluster
        self._topics = topics
        self._tiers = tiers
        self._provisioning = provisioning
        self._options = options
        self.gate = gate
        self.memberships = Memberships(self._cluster, topics.namespace)
        #: How many jobs of a queue a consumer may have in hand, where that was set.
        self.prefetch: dict[str, int] = {}
        self._heartbeats = Heartbeats(self._cluster)
        still_running = StillRunning()
        self.at_work = AtWork(still_running)
        self._shared = Shared(self.memberships, RunAlone(), still_running, gate, self.at_work)

    def set_prefetch(self, queue: str, jobs: int) -> None:
        """How many jobs of a queue each further consumer may have in hand. Raises WrongUsage below 1."""
        if jobs < 1:
            raise WrongUsage(
                f"with {jobs} jobs of queue {queue} in hand none would ever run; pause it instead"
            )
        self.prefetch[queue] = jobs

    def consumer(self, queue: str, prefetch: int, timeout_ms: int, blocked_after_s: float) -> QueueConsumer:
        """Join a queue's group. Raises KafkaUnreachable."""
        group = self._topics.group(queue)
        sources: Sequence[Source] = self._provisioning.sources_of(queue)
        decoder = QueueDecoder(queue, sources)
        with self._member(group, self._options.kafka_options) as (client, client_id):
            measure(client, queue)
            return QueueConsumer(
                client,
                self._producer,
                DeadLetterWriter(self._producer, self._topics.dead_letters, group, decoder.topics),
                self._trimmer(self._topics.jobs(queue), not_trimmed=decoder.topics),
                self._shared,
                client_id=client_id,
                queue_name=queue,
                topics=self._provisioning.topics_of(queue),
                decoder=decoder,
                prefetch=self.prefetch.get(queue, prefetch),
                timeout_ms=timeout_ms,
                commit_interval_ms=self._options.commit_interval_ms,
                revoke_timeout_ms=self._options.revoke_timeout_ms,
                blocked_after_s=blocked_after_s,
            )

    def follower(self, worker: dramatiq.Worker) -> Follower:
        """Make what applies the decisions of operators in a worker's process, and reports. Does no I/O."""
        queues = sorted(worker.consumer_whitelist or worker.broker.get_declared_queues())
        look = Look(self.memberships, self.at_work, self.gate, queues, worker.worker_threads)
        reporter = Reporter(self._producer, self._topics.fleet, look)
        return Follower(self._cluster, self._topics.control, self.gate, reporter)

    def tell_lacks(self, worker: dramatiq.Worker) -> None:
        """Log a line for each thing that Kafka does not do for a worker's topics. Blocks; never raises."""
        tell_lacks(self._cluster, self._provisioning.specs(worker.broker.get_declared_queues()))

    def mover(self, max_ahead_bytes: int) -> Mover:
        """Join the group of those that move delayed jobs. Raises KafkaUnreachable."""
        group = self._topics.movers
        with self._member(group, CONSUMER_OPTIONS) as (client, client_id):
            return Mover(
                client,
                self._producer,
                DeadLetterWriter(self._producer, self._topics.dead_letters, group),
                self._trimmer(self._topics.delay("*")),
                self.memberships,
                client_id=client_id,
                topics=self._topics,
                tiers=self._tiers,
                create_queue=self._provisioning.prepare_foreign,
                commit_interval_ms=self._options.commit_interval_ms,
                revoke_timeout_ms=self._options.revoke_timeout_ms,
                max_ahead_bytes=max_ahead_bytes,
            )

    @contextmanager
    def _member(self, group: str, options: Mapping[str, Any]) -> Iterator[tuple[KafkaConsumer, str]]:
        """Connect a member of a group, with its client id; closed if what it is made for here fails."""
        client_id = self.memberships.note(group)
        client: KafkaConsumer | None = None
        defaults = {"client_id": client_id, "session_timeout_ms": self._options.session_timeout_ms}
        try:
            client = connect_consumer(self._cluster, group, **defaults | dict(options))
            self._heartbeats.add(client)
            yield client, client_id
        except BaseException:
            if client is not None:
                with suppress(Exception):  # the first error says more
                    client.close(autocommit=False, timeout_ms=_CLOSE_MS)
            self.memberships.forget(client_id)
            raise

    def _trimmer(self, topic: str, not_trimmed: frozenset[str] = frozenset()) -> Trimmer:
        return Trimmer(
            self._cluster,
            topic,
            interval_ms=self._options.trim_interval_ms,
            keep_done_ms=self._options.keep_done_ms,
            not_trimmed=not_trimmed,
        )
