"""The pool's only door to kafka-python: how clients are made, and what its errors mean to a person."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeGuard, TypeVar

import kafka.errors
from kafka import AsyncConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, KafkaAdminClient, OffsetSpec
from kafka.consumer.fetcher import Fetcher
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.partitioner import murmur2
from kafka.structs import OffsetAndMetadata

from . import record_batches
from .errors import (
    AuthenticationFailed,
    KafkaUnreachable,
    MessageTooLarge,
    NotAuthorized,
    NotDelivered,
    TopicsMissing,
    WorkersError,
)
from .record_batches import FetchedRecord
from .topics import MAX_DEAD_LETTER_BYTES, TopicSpec

__all__ = [
    "AsyncConsumerRebalanceListener",
    "Cluster",
    "ConfigResource",
    "KafkaAdminClient",
    "KafkaConsumer",
    "KafkaError",
    "KafkaProducer",
    "OffsetAndMetadata",
    "OffsetSpec",
    "TopicPartition",
    "abandon_producer",
    "awaited",
    "cluster_rights",
    "commit_now",
    "connect_admin",
    "connect_consumer",
    "connect_producer",
    "create_missing_topics",
    "discard_producer",
    "group_rights",
    "is_closed",
    "is_fatal",
    "is_joining",
    "is_rebalance",
    "is_unauthorized",
    "kafka_errors",
    "partition_of",
    "patiently",
    "sleep_on_io_thread",
    "translated",
    "undelivered",
]

T = TypeVar("T")

#: Between two tries of a call that failed with a passing error.
_RETRY_INTERVAL_S = 0.1
#: Records of one partition that are sent together, at most: with kafka-python's 16 KiB each costs more.
_BATCH_BYTES = 64 * 1024
#: With one of these options kafka-python reads what it fetched.
_READS_ITSELF = frozenset({"isolation_level", "key_deserializer", "value_deserializer"})
#: Share of the time-out that one request may take, so that a failed one can be sent again within it.
_REQUEST_SHARE = 0.45
#: Heartbeats carry the news of a rebalance: at kafka-python's default of 3 s a member that joins stops
#: delivery for as long.
_HEARTBEAT_INTERVAL_MS = 500
#: How long the jobs of a worker that was killed wait for another to take its partitions over.
_SESSION_TIMEOUT_MS = 10_000
#: So many closings in the login in a row are a refusal whose text was lost, see _ConnectionManager.
_CLOSES_THAT_MEAN_REFUSED = 4


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where Kafka is and who we are there.

    ``connect_timeout_s`` bounds the wait for a connection, ``send_timeout_s`` that for the confirmation of a
    record.
    """

    bootstrap_servers: tuple[str, ...] = ("127.0.0.1:9092",)
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    connect_timeout_s: float = 5.0
    send_timeout_s: float = 8.0

    @property
    def address(self) -> str:
        return ",".join(self.bootstrap_servers)

    @property
    def user(self) -> str:
        return f"user {self.username!r}" if self.username else "the anonymous user"

    def client_options(self) -> dict[str, Any]:
        """What all three kinds of kafka-python client take."""
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "bootstrap_timeout_ms": int(self.connect_timeout_s * 1000),
            "security_protocol": self.security_protocol,
            "reconnect_backoff_max_ms": 1000,
        }
        if self.sasl_mechanism:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        if self.ca_file:
            options["ssl_cafile"] = self.ca_file
        return options


def connect_producer(cluster: Cluster) -> KafkaProducer:
    """Connect a producer of durable records: acks from all replicas, idempotent.

    A record that Kafka has not confirmed within ``send_timeout_s`` fails. Raises KafkaUnreachable.
    """
    timeout_ms = int(cluster.send_timeout_s * 1000)
    return _connect(
        cluster,
        KafkaProducer,
        metrics_enabled=False,
        batch_size=_BATCH_BYTES,
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        max_block_ms=timeout_ms,
        delivery_timeout_ms=timeout_ms,
        request_timeout_ms=int(timeout_ms * _REQUEST_SHARE),
        max_request_size=MAX_DEAD_LETTER_BYTES,
    )


def connect_consumer(cluster: Cluster, group: str | None, **options: Any) -> KafkaConsumer:
    """Connect a consumer that commits nothing by itself and starts at the earliest record.

    After trimming, the earliest record of a job topic is the first that was never done.
    """
    defaults = {
        "metrics_enabled": False,
        "group_id": group,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "allow_auto_create_topics": False,
        "heartbeat_interval_ms": _HEARTBEAT_INTERVAL_MS,
        "session_timeout_ms": _SESSION_TIMEOUT_MS,
        "partition_assignment_strategy": (_Assignor,),
    }
    consumer = _connect(cluster, KafkaConsumer, **defaults | options)
    consumer._fetcher.__class__ = _Fetcher
    if _READS_ITSELF.isdisjoint(options):
        consumer._fetcher.PartitionRecords = _PartitionRecords
    return consumer


def connect_admin(cluster: Cluster) -> KafkaAdminClient:
    """Connect an admin client; the caller closes it."""
    return _connect(cluster, KafkaAdminClient, request_timeout_ms=int(cluster.send_timeout_s * 1000))


def _connect(cluster: Cluster, kind: Callable[..., T], **options: Any) -> T:
    """Construct a client, which connects; one that cannot is closed, which kafka-python 3.0.12 leaves out."""
    made: list[KafkaNetClient] = []

    def net_client(**configs: Any) -> KafkaNetClient:
        net = NetworkSelector(**configs)
        made.append(KafkaNetClient(net=net, manager=_ConnectionManager(net, **configs), **configs))
        return made[-1]

    with kafka_errors(cluster, "connect"):
        try:
            return kind(**cluster.client_options() | options, kafka_client=net_client)
        except BaseException:
            for client in made:
                client.close()
            raise


def abandon_producer(producer: KafkaProducer) -> None:
    """Make a producer that was inherited over a fork harmless.

    Its sender thread does not exist in the child: the ``close`` that its finalizer and its exit handler
    call would wait for a flush that nobody does, or on a lock that was held at the fork.
    """
    atexit.unregister(producer._cleanup)
    producer._closed = True


def discard_producer(producer: KafkaProducer) -> None:
    """Close a broken producer without waiting; the futures of what it still holds fail.

    kafka-python's ``close`` flushes first, also with a time-out of 0, and raises where records are left
    before it tells the sender to end.
    """
    producer._sender.force_close()
    with suppress(kafka.errors.KafkaError):
        producer.close(timeout=0)


def create_missing_topics(cluster: Cluster, specs: Iterable[TopicSpec]) -> list[str]:
    """Create the topics of ``specs`` that do not exist, and return their names; others are left as they are.

    Raises:
        TopicsMissing: the user may not create topics; the text names those that are missing.
        KafkaUnreachable: no answer in time.
    """
    wanted = {spec.name: spec for spec in specs}
    with connect_admin(cluster) as admin, kafka_errors(cluster, "look up topics"):
        described = admin.describe_topics(sorted(wanted))
        present = {topic["name"] for topic in described if topic["error_code"] == 0}
        missing = sorted(wanted.keys() - present)
        if missing:
            _create_topics(admin, cluster, [wanted[name] for name in missing])
    return missing


def _create_topics(admin: KafkaAdminClient, cluster: Cluster, specs: list[TopicSpec]) -> None:
    request = {
        spec.name: {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication_factor or -1,
            "configs": dict(spec.config),
        }
        for spec in specs
    }
    response = admin.create_topics(request, raise_errors=False)
    refused = []
    for topic in response["topics"]:
        error = kafka.errors.for_code(topic["error_code"])
        # Another process may have created it in the same moment.
        if error not in (kafka.errors.NoError, kafka.errors.TopicAlreadyExistsError):
            refused.append(f"{topic['name']} ({topic['error_message'] or error.__name__})")
    if refused:
        raise TopicsMissing(
            f"Kafka at {cluster.address} lacks topics and {cluster.user} cannot create them: "
            f"{', '.join(refused)}; create them, or grant Create on the cluster"
        )
    admin.wait_for_topics([spec.name for spec in specs], timeout_ms=int(cluster.send_timeout_s * 1000))


@contextmanager
def kafka_errors(cluster: Cluster, doing: str) -> Iterator[None]:
    """Turn kafka-python's errors inside the block into ours; ``doing`` completes "cannot ..."."""
    try:
        yield
    except kafka.errors.KafkaError as exc:
        raise translated(exc, cluster, doing) from exc


def is_closed(producer: KafkaProducer) -> bool:
    """Whether a producer takes no records any more."""
    return bool(producer._closed)


def is_fatal(error: BaseException) -> bool:
    """Whether a producer that got this error for a record must be replaced.

    kafka-python's idempotent producer gives up at any error that it may not repeat, even one record that is
    too large for its topic. After a record that was sent and then expired, 3.0.12 hangs: `reset_producer_id`
    drops the producer id and leaves the state at READY, in which `init_producer_id` does nothing, so no
    record is sent, confirmed or expired any more.
    """
    if isinstance(error, kafka.errors.KafkaTimeoutError):
        return True
    return isinstance(error, kafka.errors.KafkaError) and not isinstance(error, kafka.errors.RetriableError)


def translated(exc: BaseException, cluster: Cluster, doing: str) -> WorkersError:
    """Say in our words what kafka-python's ``exc`` means; see :func:`kafka_errors`."""
    for expected, error, text in _MEANINGS:
        if isinstance(exc, expected):
            return error(
                text.format(address=cluster.address, user=cluster.user, doing=doing, exc=_inner_text(exc))
            )
    if "AuthorizationFailedError" in str(exc):
        # A user without any Write right is refused a producer id; that comes wrapped in a bare KafkaError.
        return translated(kafka.errors.AuthorizationError(str(exc)), cluster, doing)
    text = f"Kafka at {cluster.address} failed to {doing}: {exc}"
    return KafkaUnreachable(text) if isinstance(exc, kafka.errors.RetriableError) else WorkersError(text)


_Meaning = tuple[type[BaseException] | tuple[type[BaseException], ...], type[WorkersError], str]
_CHECK_LOGIN = (
    "check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD, KAFKA_SASL_MECHANISM and KAFKA_SECURITY_PROTOCOL"
)
_SEND_A_REFERENCE = "send a reference to the data instead of the data"
_CHECK_ADDRESS = "check that it runs and that KAFKA_BOOTSTRAP_SERVERS is right"
_MEANINGS: tuple[_Meaning, ...] = (
    (
        (
            kafka.errors.SaslAuthenticationFailedError,
            kafka.errors.UnsupportedSaslMechanismError,
            kafka.errors.IllegalSaslStateError,
        ),
        AuthenticationFailed,
        "Kafka at {address} refused the login of {user} ({exc}); " + _CHECK_LOGIN,
    ),
    (
        kafka.errors.AuthorizationError,
        NotAuthorized,
        "Kafka at {address} does not let {user} {doing} ({exc}); grant the right with an ACL",
    ),
    (
        (kafka.errors.MessageSizeTooLargeError, kafka.errors.RecordListTooLargeError),
        MessageTooLarge,
        "cannot {doing}: the message is larger than Kafka takes ({exc}); " + _SEND_A_REFERENCE,
    ),
    (
        kafka.errors.UnknownTopicOrPartitionError,
        TopicsMissing,
        "cannot {doing}: Kafka at {address} has no such topic, or {user} may not see it",
    ),
    (
        kafka.errors.KafkaTimeoutError,
        KafkaUnreachable,
        "Kafka at {address} did not answer in time, cannot {doing} ({exc}); " + _CHECK_ADDRESS,
    ),
    (
        kafka.errors.KafkaConnectionError,
        KafkaUnreachable,
        "Kafka at {address} cannot be reached, cannot {doing} ({exc}); " + _CHECK_ADDRESS,
    ),
)


async def sleep_on_io_thread(consumer: KafkaConsumer, seconds: float) -> None:
    """Sleep in a coroutine of kafka-python's own event loop, which is not asyncio's; heartbeats go on."""
    await consumer._net.sleep(seconds)


def is_joining(consumer: KafkaConsumer) -> bool:
    """Whether the consumer is to join its group anew, or does.

    Such a one must wait inside ``poll``: kafka-python 3.0.12 throws an assignment away that comes between two
    polls and joins again, which makes all others join again.
    """
    joining: bool = consumer._coordinator.need_rejoin()
    return joining


def is_rebalance(error: BaseException) -> bool:
    """Whether a commit failed only because the group is settling."""
    return isinstance(error, kafka.errors.RebalanceInProgressError)


def is_unauthorized(error_code: int) -> bool:
    """Whether a topic's error code says that the user may not know of it."""
    return kafka.errors.for_code(error_code) is kafka.errors.TopicAuthorizationFailedError


def cluster_rights(cluster: Cluster) -> frozenset[str] | None:
    """What the user may do on the cluster, such as CREATE; None where it does not tell. Raises ours."""
    with connect_admin(cluster) as admin, kafka_errors(cluster, "describe the cluster"):
        rights = admin.describe_cluster()["authorized_operations"]
    return None if rights is None else frozenset(rights)


def group_rights(cluster: Cluster, group: str) -> frozenset[str]:
    """What the user may do with a consumer group, such as READ. Raises ours."""

    def read() -> Any:
        try:
            found = admin.describe_groups([group], include_authorized_operations=True)[group]
        except kafka.errors.GroupAuthorizationFailedError:
            return ()
        # A group that is not there, or that its coordinator does not have yet, is told of in words.
        rights = found["authorized_operations"]
        if rights is None and "NotCoordinator" in str(found.get("error")):
            raise kafka.errors.NotCoordinatorError(group)
        return rights if rights is not None else ("READ",)

    with connect_admin(cluster) as admin:
        return frozenset(patiently(cluster, f"describe the group {group}", read))


def commit_now(consumer: KafkaConsumer, offsets: Callable[[], Mapping[Any, Any]], timeout_s: float) -> None:
    """Commit ``offsets()`` and wait for it, also while the group settles. Raises kafka-python's errors.

    Kafka refuses commits between the end of a join and the new assignment, which comes by polling; what is
    fetched meanwhile is dropped. ``offsets`` is asked again each time: some may have been given up.
    """
    deadline = time.monotonic() + timeout_s
    while wanted := offsets():
        try:
            consumer.commit(wanted, timeout_ms=int(timeout_s * 1000))
        except kafka.errors.RebalanceInProgressError:
            if time.monotonic() >= deadline:
                raise
            consumer.pause(*consumer.assignment())
            consumer.poll(timeout_ms=50)
        else:
            return


def patiently(cluster: Cluster, doing: str, call: Callable[[], T]) -> T:
    """Call until it does not fail with a passing error, such as a coordinator that is still loading.

    Gives up after the cluster's time-out. Raises ours, see :func:`kafka_errors`.
    """
    deadline = time.monotonic() + cluster.connect_timeout_s
    with kafka_errors(cluster, doing):
        while True:
            try:
                return call()
            except kafka.errors.RetriableError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(_RETRY_INTERVAL_S)


def partition_of(producer: KafkaProducer, topic: str, key: bytes) -> int:
    """The partition that Kafka's clients choose for a key. Blocks while the topic's metadata is unknown."""
    partitions = sorted(producer.partitions_for(topic))
    return int(partitions[(murmur2(key) & 0x7FFFFFFF) % len(partitions)])


def awaited(future: Any, cluster: Cluster, doing: str) -> Any:
    """Wait until Kafka has confirmed a produced record, and return its metadata.

    Raises NotDelivered where no answer came in time: the record may or may not have been written.
    """
    try:
        # The producer's own time-out fails the future first; the margin only guards against its death.
        return future.get(timeout=cluster.send_timeout_s + 2)
    except kafka.errors.KafkaError as exc:
        raise undelivered(exc, cluster, doing) from exc


def undelivered(exc: BaseException, cluster: Cluster, doing: str) -> WorkersError:
    """Say in our words why a produced record was not confirmed."""
    if isinstance(exc, kafka.errors.KafkaTimeoutError):
        return NotDelivered(
            f"Kafka at {cluster.address} did not confirm in {cluster.send_timeout_s:g} s, cannot {doing}; "
            f"the record may or may not have been written ({_inner_text(exc)})"
        )
    meaning = translated(exc, cluster, doing)
    # What is left is about the producer, such as its end: whoever waits for the record may send it again.
    return NotDelivered(str(meaning)) if type(meaning) is WorkersError else meaning


class _Assignor(CooperativeStickyAssignor):  # type: ignore[misc]
    """Weighs the partitions that the group's members want, and no others.

    kafka-python 3.0.12 weighs all of the cluster's, in a time that grows with their square: some seconds on
    a cluster with hundreds of topics, at each join, in which no heartbeat is sent.
    """

    def assign(self, cluster: Any, members: Any) -> Any:
        wanted = {topic for member in members for topic in member.metadata.topics}
        return super().assign(_Part(cluster, wanted), members)


class _Part:
    """Of a cluster's metadata what an assignor asks for, for some of its topics."""

    def __init__(self, cluster: Any, topics: set[str]) -> None:
        self._topics = topics & set(cluster.topics())
        self.partitions_for_topic = cluster.partitions_for_topic

    def topics(self) -> set[str]:
        return self._topics


class _Fetcher(Fetcher):  # type: ignore[misc]
    """Gives back what it has laid aside of a paused partition, once that is resumed.

    kafka-python 3.0.12 lays the records that it is handing out aside where their partition is paused
    (dpkp/kafka-python#2981), and takes them up again only while it has no others in hand. Those of another
    partition count as in hand when all of them were handed out, too; and it fetches nothing of a partition
    while it has records of it. So such a partition could be silent for ever.
    """

    _next_partition_records: Any

    def fetched_records(self, *args: Any, **options: Any) -> Any:
        in_hand = self._next_partition_records
        if not in_hand:
            self._next_partition_records = None
        elif not all(map(self._subscriptions.is_paused, self._paused_partition_records)):
            # Its turn comes again, behind those that were laid aside before.
            self._paused_partition_records[in_hand.topic_partition] = in_hand
            self._next_partition_records = None
        return super().fetched_records(*args, **options)


class _PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """What was fetched of one partition, read as :class:`FetchedRecord`; see there for why."""

    def _unpack_records(self, partition: TopicPartition, fetched: Any, *_: Any) -> Iterator[FetchedRecord]:
        while (batch := fetched.next_batch()) is not None:
            if self.check_crcs and not batch.validate_crc():
                raise kafka.errors.CorruptRecordError(
                    f"the batch at offset {batch.base_offset} of {partition} fails its checksum"
                )
            self.leader_epoch = batch.leader_epoch
            self.bytes_read += batch.size_in_bytes  # kafka-python takes the partitions in turns by it
            if not batch.is_control_batch:
                for record in _records(partition, batch):
                    self.next_fetch_offset = record.offset + 1
                    yield record
            # Past what compaction has removed from the end of the batch.
            self.next_fetch_offset = batch.next_offset
        self.drain()


def _records(partition: TopicPartition, batch: Any) -> Iterator[FetchedRecord]:
    batch._maybe_uncompress()
    try:
        yield from record_batches.records(
            partition.topic,
            partition.partition,
            bytes(memoryview(batch._buffer)[batch._pos :]),
            count=batch.records_count,
            base_offset=batch.base_offset,
            base_ms=batch.first_timestamp,
            append_ms=batch.max_timestamp if batch.timestamp_type else None,
        )
    except record_batches.CorruptBatch as exc:
        raise kafka.errors.CorruptRecordError(
            f"the batch at offset {batch.base_offset} of {partition} is damaged: {exc}"
        ) from exc


class _ConnectionManager(KafkaConnectionManager):  # type: ignore[misc]
    """Ends the bootstrap with what went wrong, and at once where trying again cannot help.

    kafka-python 3.0.12 means to remember a refused login and raise it at the next connection
    (dpkp/kafka-python#2994), but a refusal in the handshake only reaches the connection's own future:
    the bootstrap tries the wrong password until its time-out and then says "Unable to bootstrap".
    Worse, Kafka closes the socket right behind the refusal, and where both arrive together
    kafka-python's transport drops what it has read and reports the closing alone.
    """

    _last_error: BaseException | None = None
    _closed_in_login = 0

    def get_connection(self, node_id: Any, **options: Any) -> Any:
        bootstrapping = self.cluster.is_bootstrap(node_id)
        if bootstrapping and _is_refusal(self._last_error):
            raise self._last_error
        connection = super().get_connection(node_id, **options)
        if bootstrapping:
            connection.close_future.add_errback(self._note)
        return connection

    def bootstrap(self, timeout_ms: float | None = None, refresh: bool = True) -> None:
        try:
            super().bootstrap(timeout_ms, refresh)
        except kafka.errors.KafkaTimeoutError as exc:
            if self._last_error is None:
                raise
            text = _inner_text(self._last_error)
            if "socket disconnected" in text or "Handshake failed" in text:
                text += ": the listener may expect another KAFKA_SECURITY_PROTOCOL"
            raise kafka.errors.KafkaConnectionError(text) from exc

    def _note(self, error: BaseException) -> None:
        self._last_error = error
        if "socket disconnected" not in str(error):
            return
        self._closed_in_login += 1
        if self.config["sasl_mechanism"] and self._closed_in_login >= _CLOSES_THAT_MEAN_REFUSED:
            self._last_error = kafka.errors.SaslAuthenticationFailedError(
                "it closed the connection in the login, as it does for a wrong user or password"
            )


def _is_refusal(error: BaseException | None) -> TypeGuard[BaseException]:
    refusals = (
        kafka.errors.SaslAuthenticationFailedError,
        kafka.errors.UnsupportedSaslMechanismError,
        kafka.errors.IllegalSaslStateError,
    )
    return isinstance(error, refusals)


def _inner_text(error: BaseException) -> str:
    """What the error says, without the names of kafka-python's classes around it."""
    return str(error.args[0]) if error.args else str(error)
