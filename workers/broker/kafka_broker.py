"""A dramatiq broker whose queues are Kafka topics: declares, enqueues, consumes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import dramatiq

from ..consumer.blocked import BLOCKED_AFTER_S
from ..consumer.queue_consumer import QueueConsumer
from ..controls.controls import Controls
from ..delays.mover import Mover
from ..delays.read_ahead import MAX_AHEAD_BYTES
from ..delays.tiers import TIERS, Tier, checked
from ..kafka import Cluster
from ..kafka.producing.producer import DurableProducer
from ..measures.catalogue import ENQUEUE_DURATION
from ..middleware.installation import add_own, defaults
from ..middleware.retries import Retries
from ..outbox.session import AnySession
from ..records.envelope import Record
from ..records.sources import Decode, FindContext, Source
from ..topics import Topics, TopicSpec, log_config
from .batch import Batch
from .consumers import ConsumerOptions, Consumers
from .emptying import Emptying
from .follow_ups import FollowUpBroker
from .outgoing import Delay, Outgoing
from .provisioning import Layout, Provisioning
from .sending import Sending
from .storing import give_send_in, store
from .unknown_queue import unknown_queue
from .url import place_of

Message = dramatiq.Message[Any]


class KafkaBroker(FollowUpBroker):
    """Sends and consumes dramatiq messages on Kafka.

    Constructing it, declaring actors and importing them does no I/O; clients are made at first use, anew in
    every process.

    Parameters:
        cluster: where Kafka is; by default 127.0.0.1:9092.
        url: the same in one line, with namespace and partitions, instead of ``cluster``; see :mod:`.url`.
        namespace: first part of the names of all topics and consumer groups.
        partitions, replication_factor: of new topics; None: three copies, or the cluster's default.
        jobs_retention_ms: how long Kafka keeps jobs, done or not; None keeps them until they are done.
        commit_interval_ms: shortest time between two commits of a consumer.
        revoke_timeout_ms: how long a running job may hold up a partition that goes to another worker. A job
            that takes longer runs a second time there.
        trim_interval_ms: shortest time between two deletions of done jobs from the log.
        keep_done_ms: records younger than this are not deleted. They run again if a queue has no worker for
            longer than Kafka keeps the offsets of a group (7 days by default).
        session_timeout_ms: how long a worker may stall, as while a job holds Python's lock. One that died is
            found out sooner if another worker runs, or starts, on its machine.
        max_delay_ms: longest delay that is accepted; 366 days.
        delay_tiers: the topics of delayed jobs, one with ``wait_ms=0``; the same in all of the namespace.
        run_mover: whether a worker process moves delayed jobs. If not, run ``todo-workers mover``.
        record_stats: whether a worker process keeps the history that `todo-workers stats` shows.
        health_dir: a folder where each worker process keeps a file fresh while it and its mover are well.
        consumer_options: further options of kafka-python's consumer, such as ``max_poll_interval_ms``.
        retries: decides which failed jobs are tried again, and when; by default as in dramatiq.
        middleware: replaces dramatiq's default middleware and ``retries``; the broker adds its own.
    """

    def __init__(
        self,
        cluster: Cluster | None = None,
        *,
        url: str | None = None,
        namespace: str = "todo",
        partitions: int = 8,
        replication_factor: int | None = None,
        jobs_retention_ms: int | None = None,
        commit_interval_ms: int = 300,
        revoke_timeout_ms: int = 3_000,
        trim_interval_ms: int = 60_000,
        keep_done_ms: int = 0,
        session_timeout_ms: int = 45_000,
        max_delay_ms: int = 366 * 24 * 3_600_000,
        delay_tiers: Sequence[Tier] = TIERS,
        run_mover: bool = True,
        record_stats: bool = True,
        health_dir: Path | None = None,
        consumer_options: Mapping[str, Any] | None = None,
        retries: Retries | None = None,
        middleware: list[dramatiq.Middleware] | None = None,
    ) -> None:
        super().__init__(defaults(retries or Retries()) if middleware is None else middleware)
        place = place_of(cluster, url)
        self.cluster = place.cluster
        self.topics = Topics(place.namespace or namespace)
        self.queues: dict[str, None] = {}
        self.delay_tiers = checked(delay_tiers, self.topics)
        self._messages = Outgoing(self.topics, self.delay_tiers, max_delay_ms)
        self.producer = DurableProducer(self.cluster)
        copies = place.replication_factor or replication_factor
        layout = Layout(place.partitions or partitions, copies, jobs_retention_ms)
        self._provisioning = Provisioning(self.cluster, self.topics, self.delay_tiers, layout)
        #: The topics that a queue reads besides its own, with how their records are decoded.
        self.sources_of = self._provisioning.sources_of
        #: The topics that a queue's group reads: its own first, then its sources.
        self.topics_of = self._provisioning.topics_of
        self.sending = Sending(self.producer, self._provisioning, self.queues)
        self._emptying = Emptying(self.producer, self.topics, self.delay_tiers)
        times = (commit_interval_ms, revoke_timeout_ms, trim_interval_ms, keep_done_ms, session_timeout_ms)
        options = ConsumerOptions(*times, consumer_options or {})
        #: Pauses queues, sets switches, and says what is decided.
        self.controls = Controls(self.producer, self.topics, self.prepare)
        self._consumers = Consumers(
            self.producer, self.topics, self.delay_tiers, self._provisioning, options, gate=self.controls.gate
        )
        self.memberships = self._consumers.memberships
        add_own(self, self._consumers, run_mover=run_mover, record_stats=record_stats, health_dir=health_dir)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """A broker with a URL and further parameters."""
        return cls(url=url, **options)

    def declare_actor(self, actor: dramatiq.Actor[Any, Any]) -> None:
        """Declare an actor, and give it ``send_in``: :meth:`enqueue_in` with the actor's arguments."""
        super().declare_actor(actor)
        give_send_in(self, actor)

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue, without the delay queue of dramatiq's brokers. Does no I/O. Raises InvalidName."""
        if queue_name in self.queues:
            return
        self.topics.jobs(queue_name)  # raises for a name that no topic can have
        self.emit_before("declare_queue", queue_name)
        self.queues[queue_name] = None
        self.emit_after("declare_queue", queue_name)

    def add_source(
        self,
        queue_name: str,
        topic: str,
        decode: Decode,
        *,
        retention_ms: int | None = None,
        find_context: FindContext | None = None,
    ) -> None:
        """Let a queue read ``topic`` as well: ``decode`` turns each of its records into a job, or into None.

        The topic belongs to others: nothing is deleted from it, and retries and delays go through the queue's
        own. A new group, or one that was away for longer than Kafka keeps its position, starts at the
        earliest record. A missing topic is created with ``retention_ms``, or with the cluster's default. For
        traces, ``find_context`` reads what others do not write as headers. No I/O. Raises InvalidName.
        """
        self.declare_queue(queue_name)
        config = {} if retention_ms is None else log_config(retention_ms)
        self._provisioning.add_source(queue_name, Source(topic, decode, config, find_context))

    def set_prefetch(self, queue_name: str, jobs: int) -> None:
        """Let a process have at most so many jobs of a queue in hand, whatever its number of threads.

        By default dramatiq has two for each thread. Fewer than there are threads leave some for other queues.
        Jobs that are held (`TakenMessage.hold`) count. Does no I/O; it holds for consumers made afterwards.
        Raises WrongUsage below 1.
        """
        self.declare_queue(queue_name)
        self._consumers.set_prefetch(queue_name, jobs)

    def enqueue(self, message: Message, *, delay: Delay = None) -> Message:
        """Write a message to its queue's topic and wait until all in-sync replicas have it.

        The option ``key`` chooses the partition: same key, same partition. Without a key the partitions take
        turns. Inside :meth:`batch` it does not wait. ``delay`` is a timedelta or in ms, rounded up; without
        it the option ``eta`` counts, a time in ms.

        Raises:
            UnknownQueue, InvalidDelay, DelayTooLong, InvalidMessage, MessageTooLarge: nothing was sent.
            KafkaUnreachable: no answer, or a refusal; NotDelivered, its subclass: it may have been written.
        """
        try:
            topic, record = self.outgoing(message, delay)
            self.sending.send(message, topic, record)
        except Exception as exc:
            self._follow_ups.lost(exc)
            raise
        self._follow_ups.sent(message)
        self.emit_after("enqueue", message, delay)
        return message

    def batch(self) -> AbstractContextManager[Batch]:
        """Send many messages and wait once: inside the block, enqueue only hands them to the client.

        Leaving the block waits until Kafka has confirmed all of them, even if the block raises. The block
        applies to one thread or asyncio task; others that enqueue meanwhile wait for their own messages.
        dramatiq's ``after_enqueue`` hooks run when a message is handed over.

        Raises BatchNotDelivered, whose ``failures`` pairs each unconfirmed message with its error.
        """
        return self.sending.batch()

    async def enqueue_async(self, message: Message, *, delay: Delay = None) -> Message:
        """Do as :meth:`enqueue` does without blocking the event loop; for asyncio code.

        dramatiq's enqueue hooks run on the thread of the loop.
        """
        topic, record = self.outgoing(message, delay)
        began_at = time.monotonic()
        await self.sending.deliver_async(topic, record)
        ENQUEUE_DURATION.observe(time.monotonic() - began_at, message.queue_name)
        self.emit_after("enqueue", message, delay)
        return message

    def enqueue_in(self, session: AnySession, message: Message, *, delay: Delay = None) -> Message:
        """Have the message sent if the session's transaction is committed; see :mod:`workers.outbox`.

        ``delay`` counts from now, by this machine's clock; dramatiq's hooks run now. No I/O: no error of
        :meth:`enqueue` about Kafka.
        """
        return store(self, session, message, delay)

    def consume(
        self,
        queue_name: str,
        prefetch: int = 1,
        timeout: int = 30_000,
        *,
        blocked_after_s: float = BLOCKED_AFTER_S,
    ) -> QueueConsumer:
        """Join the queue's consumer group, with at most ``prefetch`` messages in hand; ``timeout`` is in ms.

        A job that keeps its partition waiting for ``blocked_after_s`` is named in the log.
        Raises UnknownQueue, or KafkaUnreachable if the group cannot be joined.
        """
        self.require_queue(queue_name)
        self.prepare()
        return self._consumers.consumer(queue_name, prefetch, timeout, blocked_after_s)

    def make_mover(self, *, max_ahead_bytes: int = MAX_AHEAD_BYTES) -> Mover:
        """Join the group of the movers. Raises KafkaUnreachable. ``max_ahead_bytes``: see :class:`Mover`."""
        self.prepare()
        return self._consumers.mover(max_ahead_bytes)

    def prepare(self) -> list[str]:
        """Connect and create the missing topics of the declared queues; returns the names of those created.

        Sending and consuming call it; call it at start-up to fail early. Blocks, but costs nothing once the
        topics are known to exist. Raises KafkaUnreachable, TopicsMissing or NotAuthorized.
        """
        return self._provisioning.prepare(self.queues)

    async def prepare_async(self) -> None:
        """Do as :meth:`prepare` does without blocking the event loop."""
        await self._provisioning.prepare_async(self.queues)

    def topic_specs(self) -> list[TopicSpec]:
        """The topics that the declared queues need, as this broker would create them."""
        return self._provisioning.specs(self.queues)

    def close(self) -> None:
        """Send what is buffered and disconnect; a later call connects again."""
        self.producer.close()

    def flush(self, queue_name: str) -> None:
        """Drop all messages that wait in a queue, its delayed jobs and its dead letters.

        It leaves the queue's sources alone: they hold facts, which still become jobs. Raises UnknownQueue.
        """
        self.require_queue(queue_name)
        self.prepare()
        self._emptying.drop([queue_name])

    def flush_all(self) -> None:
        """Drop all messages of all declared queues, their delayed jobs and their dead letters."""
        self.prepare()
        self._emptying.drop(list(self.queues))

    def join(self, queue_name: str, *, timeout: int | None = None) -> None:
        """Wait until all messages of a queue are done, in whichever process they run, delayed ones included.

        For tests. Raises UnknownQueue, or QueueJoinTimeout after ``timeout`` ms.
        """
        self.require_queue(queue_name)
        self.prepare()
        self._emptying.wait(queue_name, self.topics_of(queue_name), timeout)

    def outgoing(self, message: Message, delay: Delay) -> tuple[str, Record]:
        """A message's topic and record, after dramatiq's hooks before it is enqueued. Raises as `enqueue`."""
        self.require_queue(message.queue_name)
        now_ms = -(time.time_ns() // -1_000_000)  # rounded up: a job is never early
        return self._messages.begin(message, delay, now_ms, self.emit_before)

    def require_queue(self, queue_name: str) -> None:
        """Raise UnknownQueue for a queue that is not declared; the text names the nearest one."""
        if queue_name not in self.queues:
            raise unknown_queue(queue_name, self.queues)
