"""Makes and closes kafka-python's clients."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, TypeVar

import kafka.errors
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient

from ..errors import WorkersError
from ..topics import MAX_DEAD_LETTER_BYTES
from .cluster import Cluster
from .error_translation import kafka_errors
from .library_log import calm_library
from .patches.assignor import Assignor
from .patches.consumer import QuietConsumer
from .patches.fetching.lost_records import EpochCoordinator
from .patches.fetching.partition_records import PartitionRecords
from .patches.fetching.waiting import WaitingFetcher
from .patches.fetching.wanted_records import FindWanted
from .patches.free_connection import ConnectionManager
from .patches.net_client import NetClient
from .patches.selector import CoalescingSelector
from .patches.sender import EndingSender
from .patches.sending import DirectProducer
from .security.oauth import token_provider

T = TypeVar("T")

#: How many bytes of one partition's records are sent together: with kafka-python's 16 KiB each costs more.
_BATCH_BYTES = 64 * 1024
#: Share of the send time-out after which an unconfirmed record fails: the thread that waits for it learns why
#: before its own time is over.
_DELIVERY_SHARE = 0.95
#: Share of the send time-out that one request may take, so that a failed one can be sent again in time.
_REQUEST_SHARE = 0.45
#: The longest time that the answer to an admin request may take.
_ADMIN_TIMEOUT_S = 8.0
#: Heartbeats carry the news of a rebalance: at kafka-python's default of 3 s a member that joins stops
#: delivery for as long.
_HEARTBEAT_INTERVAL_MS = 500
#: How many requests may be under way on a connection that carries the heartbeats of all groups.
_NO_LIMIT = 1_000_000
#: Partitions that are added to a topic are noticed within this time.
_METADATA_MAX_AGE_MS = 8_000
#: How long the jobs of a killed worker wait until others take its partitions over.
SESSION_TIMEOUT_MS = 45_000


def connect_producer(cluster: Cluster, *, idempotent: bool = True) -> DirectProducer:
    """Connect a producer of durable records: acks from all replicas, in their order.

    A record that Kafka has not confirmed within ``send_timeout_s`` fails. Raises KafkaUnreachable.
    """
    timeout_ms = int(cluster.send_timeout_s * 1000)
    # Without a producer id, Kafka puts requests that overtake one another in no order.
    one_at_a_time = {} if idempotent else {"max_in_flight_requests_per_connection": 1}
    producer = connect(
        cluster,
        DirectProducer,
        metrics_enabled=False,
        batch_size=_BATCH_BYTES,
        acks="all",
        enable_idempotence=idempotent,
        **one_at_a_time,
        allow_auto_create_topics=False,
        max_block_ms=timeout_ms,
        delivery_timeout_ms=int(timeout_ms * _DELIVERY_SHARE),
        request_timeout_ms=int(timeout_ms * _REQUEST_SHARE),
        max_request_size=MAX_DEAD_LETTER_BYTES,
        metadata_max_age_ms=_METADATA_MAX_AGE_MS,
    )
    producer._sender.__class__ = EndingSender
    return producer


def connect_consumer(cluster: Cluster, group: str | None, **options: Any) -> KafkaConsumer:
    """Connect a consumer that commits nothing by itself and starts at the earliest record.

    It reads what is committed: records of a transaction come once that has ended, and none of one that was
    rolled back. After trimming, the earliest record of a job topic is the first that was never done.
    """
    defaults = {
        "metrics_enabled": False,
        "group_id": group,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "allow_auto_create_topics": False,
        "heartbeat_interval_ms": _HEARTBEAT_INTERVAL_MS,
        "session_timeout_ms": SESSION_TIMEOUT_MS,
        "partition_assignment_strategy": (Assignor,),
        "isolation_level": "read_committed",
        "metadata_max_age_ms": _METADATA_MAX_AGE_MS,
    }
    consumer = connect(cluster, QuietConsumer, **defaults | options)
    consumer._fetcher.__class__ = WaitingFetcher
    consumer._coordinator.__class__ = EpochCoordinator
    consumer._fetcher.prepare(is_member=group is not None)
    consumer._fetcher.is_rejoin_due = consumer._coordinator.need_rejoin
    consumer._fetcher.PartitionRecords = PartitionRecords
    consumer._coordinator.on_rejoin = consumer._fetcher.end_wait
    consumer._coordinator.on_answer = consumer._fetcher.end_quiet
    consumer._fetcher.is_answered = consumer._coordinator.is_answered
    consumer._cluster.add_listener(consumer._fetcher.note_metadata)
    return consumer


def read_only_wanted(consumer: KafkaConsumer, find: FindWanted | None) -> None:
    """Have a consumer pass over all records in which ``find`` finds no place, at a fraction of the cost.

    ``find`` gets the bytes of many records, one behind the other. The position moves on behind those that are
    passed over. It counts for what is polled from now on, and must be set before anything is fetched.
    """
    consumer._fetcher.find_wanted = find


def connect_bare(cluster: Cluster) -> Any:
    """Make a client that sends what it is told, however much is under way; it connects when it has to."""

    def client(kafka_client: Callable[..., NetClient], **options: Any) -> NetClient:
        made = kafka_client(**options, max_in_flight_requests_per_connection=_NO_LIMIT)
        made._net.start()
        return made

    return connect(cluster, client, client_id="todo-workers-heartbeats")


def connect_admin(cluster: Cluster) -> KafkaAdminClient:
    """Connect an admin client; the caller closes it."""
    timeout_s = min(cluster.send_timeout_s, _ADMIN_TIMEOUT_S)
    return connect(cluster, KafkaAdminClient, request_timeout_ms=int(timeout_s * 1000))


def connect(cluster: Cluster, kind: Callable[..., T], **options: Any) -> T:
    """Construct a client of kafka-python's, which connects; raises a WorkersError.

    Closes one that cannot connect, which kafka-python 3.0.12 does not.
    """
    calm_library()
    made: list[NetClient] = []

    def net_client(**configs: Any) -> NetClient:
        made.append(_net_client(**configs))
        return made[-1]

    with kafka_errors(cluster, "connect"):
        try:
            return kind(
                **cluster.client_options() | _login_options(cluster) | options, kafka_client=net_client
            )
        except BaseException:
            for client in made:
                with suppress(Exception):  # that may not have started yet when Ctrl-C came
                    client.close()
            raise


def _net_client(**configs: Any) -> NetClient:
    net = CoalescingSelector(**configs)
    try:
        return NetClient(net=net, manager=ConnectionManager(net, **configs), **configs)
    except BaseException:
        net.close()
        raise


def _login_options(cluster: Cluster) -> dict[str, Any]:
    if cluster.oauth is not None:
        return {"sasl_oauth_token_provider": token_provider(cluster.oauth)}
    if cluster.sasl_mechanism == "AWS_MSK_IAM" and find_spec("botocore") is None:
        raise WorkersError("KAFKA_SASL_MECHANISM=AWS_MSK_IAM needs botocore: pip install 'todo-workers[aws]'")
    return {}


def abandon_producer(producer: KafkaProducer) -> None:
    """Make a producer that was inherited over a fork harmless.

    Its sender thread does not exist in the child. Its finalizer and its exit handler call ``close``, which
    would wait for a flush that never happens, or for a lock that was held at the fork.
    """
    atexit.unregister(producer._cleanup)
    producer._closed = True
    close_inherited(producer._sender._client)


def close_inherited(client: NetClient) -> None:
    """Close a client's files in a child that inherited them over a fork; its parent stays connected."""
    for connection in client._manager._conns.values():
        if connection.transport is not None and connection.transport._sock is not None:
            connection.transport._sock.close()
    net = client._net
    for file in (net._wakeup_r, net._wakeup_w, net._selector):
        file.close()


def discard_producer(producer: KafkaProducer) -> None:
    """Close a broken producer; the futures of all records that it still holds fail.

    Blocks until its thread has ended, which takes as long as a request that it waits for. kafka-python's
    ``close`` flushes first, also with a time-out of 0, and raises if records are left, before it tells the
    sender to end.
    """
    producer._sender.force_close()
    producer._sender.join(producer.config["request_timeout_ms"] / 1000 + 1)
    with suppress(kafka.errors.KafkaError):
        producer.close(timeout=0)


def is_closed(producer: KafkaProducer) -> bool:
    """Whether a producer is closed and takes no more records."""
    return bool(producer._closed)
