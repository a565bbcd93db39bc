"""A dramatiq broker whose queues are Kafka topics."""

from __future__ import annotations

import asyncio
import difflib
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import dramatiq
from dramatiq.errors import QueueJoinTimeout
from dramatiq.middleware import Retries as DramatiqRetries
from dramatiq.middleware import default_middleware

from ..consumer.queue_consumer import QueueConsumer
from ..consumer.run_alone import RunAlone
from ..dead_letters import reader as dead_letter_reader
from ..dead_letters.resolving import Outcome, resolve
from ..dead_letters.writer import DeadLetterWriter
from ..delays import tiers as delays
from ..delays import waiting_jobs as delayed
from ..delays.mover import CONSUMER_OPTIONS, Mover
from ..delays.tiers import TIERS, Tier
from ..errors import InvalidName, UnknownQueue, WorkersError
from ..kafka import Cluster, connect_consumer, create_missing_topics
from ..kafka.producer import DurableProducer
from ..middleware.boot_check import BootCheck
from ..middleware.retries import Retries
from ..middleware.revocation_guard import RevocationGuard
from ..middleware.runs_mover import RunsMover
from ..middleware.stops_once import StopsOnce
from ..partitions import lag
from ..partitions.owned_partition import TakenMessage
from ..partitions.trimming import Trimmer
from ..records import envelope
from ..records.headers import carried
from ..records.sources import Decode, QueueDecoder, Source
from ..topics import (
    MAX_JOB_BYTES,
    RETRY_ROOM_BYTES,
    Topics,
    TopicSpec,
    dead_letters_spec,
    delay_spec,
    jobs_spec,
    log_config,
)
from .batch import Batch
from .signals import SignallingBroker

logger = logging.getLogger(__name__)

#: Between two looks at how far a queue's group has come, in ``join``.
_JOIN_INTERVAL_S = 0.05


class KafkaBroker(SignallingBroker):
    """Sends and consumes dramatiq messages on Kafka.

    Constructing it, declaring actors and importing them does no I/O; clients are made at first use, anew in
    every process.

    Parameters:
        cluster: where Kafka is; by default 127.0.0.1:9092.
        namespace: first part of the names of all topics and consumer groups.
        partitions, replication_factor: for topics that do not exist yet; a replication factor of None is
            the cluster's default.
        commit_interval_ms: how often a consumer commits, at most.
        revoke_timeout_ms: how long a running job may hold up a partition that goes to another worker; one
            that takes longer runs there a second time.
        trim_interval_ms: how often a consumer deletes from the log what is done, at most.
        keep_done_ms: records younger than that are not deleted. What is kept runs again where a queue has no
            worker for longer than Kafka keeps a group's offsets (7 days, if not set otherwise).
        max_delay_ms: longest delay that is accepted; 366 days.
        delay_tiers: the topics that delayed jobs wait in; all processes of a namespace must have the same.
        run_mover: whether a worker process moves delayed jobs; somebody must (``todo-workers mover``).
        health_dir: a folder where each worker process keeps a file fresh while it is well, its mover too.
        consumer_options: further options of kafka-python's consumer, such as ``max_poll_interval_ms``.
        retries: which jobs that fail are tried again, and when; by default as dramatiq does.
        middleware: as for any broker of dramatiq, instead of the default ones and ``retries``; the broker
            adds its own to it.
    """

    def __init__(
        self,
        cluster: Cluster | None = None,
        *,
        namespace: str = "todo",
        partitions: int = 8,
        replication_factor: int | None = None,
        commit_interval_ms: int = 300,
        revoke_timeout_ms: int = 3_000,
        trim_interval_ms: int = 60_000,
        keep_done_ms: int = 0,
        max_delay_ms: int = 366 * 24 * 3_600_000,
        delay_tiers: Sequence[Tier] = TIERS,
        run_mover: bool = True,
        health_dir: Path | None = None,
        consumer_options: Mapping[str, Any] | None = None,
        retries: Retries | None = None,
        middleware: list[dramatiq.Middleware] | None = None,
    ) -> None:
        super().__init__(_default_middleware(retries or Retries()) if middleware is None else middleware)
        self.cluster = cluster or Cluster()
        self.topics = Topics(namespace)
        self.queues: dict[str, None] = {}
        self._partitions = partitions
        self._replication_factor = replication_factor
        self._commit_interval_ms = commit_interval_ms
        self._revoke_timeout_ms = revoke_timeout_ms
        self._trim_interval_ms = trim_interval_ms
        self._keep_done_ms = keep_done_ms
        self._max_delay_ms = max_delay_ms
        self.delay_tiers = tuple(delay_tiers)
        self._consumer_options = dict(consumer_options or {})
        self.producer = DurableProducer(self.cluster)
        self._solo = RunAlone()
        self._prepared: set[str] = set()
        self._sources: dict[str, list[Source]] = {}
        self._batch: ContextVar[Batch | None] = ContextVar("batch", default=None)
        self._finishing = threading.local()
        self.add_middleware(BootCheck())
        self.add_middleware(StopsOnce())
        if run_mover:
            self.add_middleware(RunsMover(health_dir))
        # First of all: what it skips, no other middleware has begun.
        self.add_middleware(RevocationGuard(), before=type(self.middleware[0]))

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue; does no I/O. Declaring it again does nothing. Raises InvalidName.

        dramatiq's delay queues are not declared: delays are not kept in the memory of workers.
        """
        if queue_name in self.queues:
            return
        self.topics.jobs(queue_name)  # raises for a name that no topic can have
        self.emit_before("declare_queue", queue_name)
        self.queues[queue_name] = None
        self.emit_after("declare_queue", queue_name)

    def add_source(
        self, queue_name: str, topic: str, decode: Decode, *, retention_ms: int | None = None
    ) -> None:
        """Let a queue read ``topic`` too: ``decode`` makes each of its records a job of the queue, or none.

        Others own the topic: nothing is deleted from it, and what follows from such a job, its retry for
        example, goes by way of the queue's own topic. A group that is new, or that was away for longer than
        Kafka keeps its position, starts at the earliest record. Where the topic does not exist it is created
        with ``retention_ms``; without that, as the cluster's defaults say. Does no I/O.

        Raises InvalidName, also for a topic that the queue reads already.
        """
        self.declare_queue(queue_name)
        if topic in self.topics_of(queue_name):
            raise InvalidName(f"queue {queue_name} reads topic {topic} already")
        config = {} if retention_ms is None else log_config(retention_ms)
        self._sources.setdefault(queue_name, []).append(Source(topic, decode, config))
        self._prepared.discard(queue_name)

    def topics_of(self, queue_name: str) -> list[str]:
        """The topics that a queue's group reads: its own first, then its sources."""
        sources = self._sources.get(queue_name, ())
        return [self.topics.jobs(queue_name), *(source.topic for source in sources)]

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Write a message to its queue's topic and wait until all in-sync replicas have it.

        The option ``key`` chooses the partition: same key, same partition. Without it all get their turn.
        Inside :meth:`batch` it does not wait. ``delay`` is in ms; a job that is due already goes straight to
        its queue, another one by way of the delay topics.

        Raises:
            UnknownQueue: the queue was never declared.
            DelayTooLong: ``delay`` is more than ``max_delay_ms``; nothing was sent.
            MessageTooLarge: nothing was sent.
            KafkaUnreachable: Kafka could not be reached, or refused; NotDelivered, its subclass, where the
                message may have been written.
        """
        try:
            topic, record = self._outgoing(message, delay)
            self.prepare()
            batch = self._batch.get()
            if batch is not None:
                batch.add(message, self.producer.send(topic, record))
            else:
                self.producer.deliver(topic, record)
        except WorkersError as exc:
            self._note_lost_follow_up(exc)
            raise
        finishing = getattr(self._finishing, "message", None)
        if finishing is not None and finishing.message_id == message.message_id:
            self._finishing.sent_again = True
        self.emit_after("enqueue", message, delay)
        return message

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Send many messages with one wait: inside the block enqueue only hands them to the client.

        Leaving the block waits until Kafka has confirmed all, also where the block raises. The block is of
        one thread or asyncio task; others that enqueue meanwhile wait for theirs as ever. dramatiq's
        ``after_enqueue`` hooks run when a message is handed over.

        Raises BatchNotDelivered, whose ``failures`` are the messages that were not confirmed, each with its
        error.
        """
        batch = Batch(self.cluster)
        token = self._batch.set(batch)
        try:
            yield
        finally:
            self._batch.reset(token)
            batch.wait()

    async def enqueue_async(
        self, message: dramatiq.Message[Any], *, delay: int | None = None
    ) -> dramatiq.Message[Any]:
        """:meth:`enqueue` for asyncio code: the event loop runs on while Kafka confirms.

        dramatiq's enqueue hooks run on the loop's thread.
        """
        topic, record = self._outgoing(message, delay)
        await self.prepare_async()
        await self.producer.deliver_async(topic, record)
        self.emit_after("enqueue", message, delay)
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> QueueConsumer:
        """Join the queue's consumer group; at most ``prefetch`` messages are outstanding, ``timeout`` is ms.

        Raises UnknownQueue, or KafkaUnreachable where the group cannot be joined.
        """
        self.require_queue(queue_name)
        self.prepare()
        group = self.topics.group(queue_name)
        intake = QueueDecoder(queue_name, self._sources.get(queue_name, ()))
        return QueueConsumer(
            connect_consumer(self.cluster, group, **self._consumer_options),
            DeadLetterWriter(self.producer, self.topics.dead_letters, group, intake),
            Trimmer(
                self.cluster,
                self.topics.jobs(queue_name),
                interval_ms=self._trim_interval_ms,
                keep_done_ms=self._keep_done_ms,
                spared=intake.topics,
            ),
            self._solo,
            queue_name=queue_name,
            topics=self.topics_of(queue_name),
            intake=intake,
            prefetch=prefetch,
            timeout_ms=timeout,
            commit_interval_ms=self._commit_interval_ms,
            revoke_timeout_ms=self._revoke_timeout_ms,
        )

    def make_mover(self) -> Mover:
        """Join the group of those that move delayed jobs. Raises KafkaUnreachable."""
        self.prepare()
        group = self.topics.movers
        return Mover(
            connect_consumer(self.cluster, group, **CONSUMER_OPTIONS),
            self.producer,
            DeadLetterWriter(self.producer, self.topics.dead_letters, group, QueueDecoder("")),
            Trimmer(
                self.cluster,
                self.topics.delay("*"),
                interval_ms=self._trim_interval_ms,
                keep_done_ms=self._keep_done_ms,
            ),
            topics=self.topics,
            tiers=self.delay_tiers,
            create_queue=self._create_queue,
            commit_interval_ms=self._commit_interval_ms,
            revoke_timeout_ms=self._revoke_timeout_ms,
        )

    def prepare(self) -> list[str]:
        """Connect, and create the topics of the declared queues that do not exist yet; returns their names.

        Sending and consuming call it; call it at start-up to fail early. Once the topics are known to
        exist it costs nothing. Raises KafkaUnreachable, TopicsMissing or NotAuthorized.
        """
        if self._prepared.issuperset(self.queues):
            return []
        queues = list(self.queues)
        created = create_missing_topics(self.cluster, self.topic_specs())
        if created:
            logger.info("topics created %s", ", ".join(created))
        self._prepared.update(queues)
        return created

    async def prepare_async(self) -> None:
        """:meth:`prepare` without blocking the event loop."""
        if not self._prepared.issuperset(self.queues):
            await asyncio.to_thread(self.prepare)

    def topic_specs(self) -> list[TopicSpec]:
        """The topics of the declared queues and all that goes with them, as this broker would create them."""
        layout = (self._partitions, self._replication_factor)
        jobs = [jobs_spec(self.topics, queue, *layout) for queue in self.queues]
        delayed_jobs = [delay_spec(self.topics, tier.name, *layout) for tier in self.delay_tiers]
        # Two queues may read the same source.
        sources = {
            source.topic: TopicSpec(source.topic, *layout, source.config, is_source=True)
            for queue in self.queues
            for source in self._sources.get(queue, ())
        }
        return [*sources.values(), *jobs, *delayed_jobs, dead_letters_spec(self.topics, *layout)]

    def _create_queue(self, queue_name: str) -> None:
        """Create the topic of a queue that another application declares, where it does not exist."""
        if queue_name not in self._prepared:
            spec = jobs_spec(self.topics, queue_name, self._partitions, self._replication_factor)
            create_missing_topics(self.cluster, [spec])
            self._prepared.add(queue_name)

    def close(self) -> None:
        """Send what is buffered and disconnect. A later call connects anew."""
        self.producer.close()

    def flush(self, queue_name: str) -> None:
        """Drop all messages that wait in a queue, its delayed ones, and its dead letters.

        Its sources are left alone: what waits there are facts, not jobs, and still becomes jobs.

        Raises UnknownQueue.
        """
        self.require_queue(queue_name)
        self._flush([queue_name])

    def flush_all(self) -> None:
        """Drop all messages of all declared queues, the delayed ones too, and their dead letters."""
        self._flush(list(self.queues))

    def _flush(self, queues: list[str]) -> None:
        self.prepare()
        delayed.delete(self.cluster, self.topics, self.delay_tiers, queues, self.producer)
        lag.delete_all_records(self.cluster, [self.topics.jobs(queue) for queue in queues])
        topic = self.topics.dead_letters
        letters = dead_letter_reader.unresolved(self.cluster, topic)
        wanted = (entry for entry in letters if entry.letter.queue in queues)
        outcome = Outcome()
        resolve(self.producer, topic, wanted, lambda _: None, outcome)
        if outcome.failures:
            raise outcome.failures[0][1]

    def join(self, queue_name: str, *, timeout: int | None = None) -> None:
        """Wait until every message of a queue is done, in whichever process it runs, the delayed ones too.

        For tests. Raises UnknownQueue, or QueueJoinTimeout after ``timeout`` ms.
        """
        self.require_queue(queue_name)
        self.prepare()
        deadline = None if timeout is None else time.monotonic() + timeout / 1000
        with (
            lag.LagReader(self.cluster, self.topics_of(queue_name), self.topics.group(queue_name)) as jobs,
            delayed.Waiting(self.cluster, self.topics, self.delay_tiers, queue_name) as waiting,
        ):
            # A job that is retried leaves its queue for a delay topic and comes back: what was not seen in
            # one place must not have come from the other meanwhile.
            while left := waiting.count() + jobs.not_done() + waiting.grown():
                if deadline is not None and time.monotonic() >= deadline:
                    text = f"queue {queue_name}: {left} messages not done after {timeout} ms"
                    raise QueueJoinTimeout(text)  # type: ignore[no-untyped-call]
                time.sleep(_JOIN_INTERVAL_S)

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """As in dramatiq, but for two things that would lose something.

        A job that another worker runs instead was not skipped: the Results middleware would store None for
        it. And where a middleware cannot enqueue what follows from a job (its retry, its callback, the next
        in its pipeline), dramatiq only logs that: here the job itself becomes a dead letter. So does one that
        failed and that nobody has given up or sent again, as where there is no Retries middleware, or that
        stumbles over the job's options.
        """
        if signal == "skip_message" and isinstance(args[0], TakenMessage) and args[0].lane.closed:
            return
        if signal != "process_message":
            super().emit_after(signal, *args, **kwargs)
            return
        message: dramatiq.MessageProxy = args[0]
        self._finishing.message, self._finishing.sent_again = message, False
        try:
            super().emit_after(signal, *args, **kwargs)
        finally:
            self._finishing.message = None
        if kwargs.get("exception") is not None and not self._finishing.sent_again:
            message.fail()

    def _note_lost_follow_up(self, error: WorkersError) -> None:
        message: dramatiq.MessageProxy | None = getattr(self._finishing, "message", None)
        if message is None:
            return
        message.fail()
        if message._exception is None:
            message.stuff_exception(error)

    def _outgoing(self, message: dramatiq.Message[Any], delay: int | None) -> tuple[str, envelope.Record]:
        self.require_queue(message.queue_name)
        now_ms = time.time_ns() // 1_000_000
        eta_ms = delays.eta_of(delay or 0, now_ms, self._max_delay_ms)
        self.emit_before("enqueue", message, delay)
        record = envelope.encode(message, eta_ms)
        limit = MAX_JOB_BYTES
        if isinstance(message, TakenMessage):  # a retry
            record.headers.extend(carried(message.record))
            limit += RETRY_ROOM_BYTES
        what = f"the message {message.message_id} for actor {message.actor_name}"
        envelope.require_size(record, what, limit)
        tier = eta_ms and delays.next_tier(eta_ms, now_ms, self.delay_tiers)
        return self.topics.delay(tier.name) if tier else self.topics.jobs(message.queue_name), record

    def require_queue(self, queue_name: str) -> None:
        """Raise UnknownQueue for one that is not declared."""
        if queue_name not in self.queues:
            raise UnknownQueue(f"queue {queue_name!r} is not declared{_suggestion(queue_name, self.queues)}")


def _default_middleware(retries: Retries) -> list[dramatiq.Middleware]:
    """dramatiq's, with ``retries`` in the place of its own, which is the last."""
    others = (kind for kind in default_middleware if kind is not DramatiqRetries)
    return [*(kind() for kind in others), retries]


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; declared are: {', '.join(sorted(known)) or 'none'}"
