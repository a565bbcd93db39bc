"""Calls kafka-python's clients safely: passing errors, rebalances, the I/O thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import kafka.errors
from kafka import KafkaConsumer, KafkaProducer, TopicPartition, codec
from kafka.protocol.consumer import OffsetForLeaderEpochRequest
from kafka.structs import OffsetAndMetadata

from .cluster import Cluster
from .error_translation import kafka_errors

T = TypeVar("T")

_EpochPartition = OffsetForLeaderEpochRequest.OffsetForLeaderTopic.OffsetForLeaderPartition
#: Pause between two tries of a call that failed with a passing error.
_RETRY_INTERVAL_S = 0.1
#: How long the consuming thread waits for what Kafka says of an epoch.
_EPOCH_TIMEOUT_MS = 1_000


async def sleep_on_io_thread(consumer: KafkaConsumer, seconds: float) -> None:
    """Sleep in a coroutine of kafka-python's own event loop, which is not asyncio's; heartbeats go on."""
    await consumer._net.sleep(seconds)


def is_joining(consumer: KafkaConsumer) -> bool:
    """Whether the consumer joins its group, or has to join it anew."""
    joining: bool = consumer._coordinator.need_rejoin()
    return joining


def must_wait(consumer: KafkaConsumer) -> bool:
    """Whether the consumer joins its group, and has no partitions that it could work on meanwhile.

    Such a consumer must wait inside ``poll``: kafka-python 3.0.12 throws away an assignment that comes
    between two polls and joins again, which makes all others join again.
    """
    return is_joining(consumer) and not consumer._coordinator.may_work_on()


def missing_codecs() -> list[str]:
    """The codecs of record batches whose library is not installed."""
    has = {name: getattr(codec, f"has_{name}") for name in ("gzip", "snappy", "lz4", "zstd")}
    return [name for name, is_there in has.items() if not is_there()]


class ReadUpTo(NamedTuple):
    """How far a partition was read: everything below ``offset`` was fetched, or is no record.

    ``is_end``: nothing is behind it, not even an open transaction.
    """

    offset: int
    is_end: bool
    #: The epoch of the leader that wrote the last record that was read; -1 if that is not known.
    leader_epoch: int = -1


def read_up_to(consumer: KafkaConsumer) -> dict[TopicPartition, ReadUpTo]:
    """How far each assigned partition was read, as far as the client knows; asks nobody.

    It is exact between two polls: records that were fetched but not returned by a poll count as not read.
    """
    found = {}
    for partition, state in list(consumer._subscription.assignment.items()):
        position = state.position  # asked for once: that takes a lock
        if position is not None:
            is_end = state.highwater is not None and position.offset >= state.highwater
            found[partition] = ReadUpTo(position.offset, is_end, position.leader_epoch)
    return found


def epoch_read(consumer: KafkaConsumer, partition: TopicPartition) -> int:
    """The epoch of the leader that wrote the last record that was read; -1 if not known. Asks nobody."""
    state = consumer._subscription.assignment.get(partition)
    position = None if state is None else state.position
    return -1 if position is None else position.leader_epoch


def polls_of(consumer: KafkaConsumer) -> int:
    """How many whole polls there have been. In between, nothing is read, assigned or taken away."""
    polls: int = consumer.polls
    return polls


def topic_ids(consumer: KafkaConsumer, topics: Iterable[str]) -> dict[str, UUID | None]:
    """The id of each topic as the client knows it; None if it knows none. A topic made anew has another."""
    return {topic: consumer._client.cluster.topic_id(topic) for topic in topics}


def end_of_epoch(consumer: KafkaConsumer, partition: TopicPartition, epoch: int) -> int | None:
    """Where the records end that leaders up to ``epoch`` wrote, as the log is now; None if it is all of them.

    A commit of that epoch says nothing of what is behind. Blocks for a second at most; None also if Kafka
    does not say.
    """
    manager = consumer._fetcher._manager
    current = manager.cluster.leader_epoch_for_partition(partition)
    leader = manager.cluster.leader_for_partition(partition)
    if epoch < 0 or current is None or current <= epoch or leader is None:
        return None
    wanted = [_EpochPartition(partition=partition.partition, current_leader_epoch=-1, leader_epoch=epoch)]
    request = OffsetForLeaderEpochRequest(replica_id=-1, topics=[(partition.topic, wanted)])

    async def ask() -> Any:
        return await manager.wait_for(manager.send(request, node_id=leader), _EPOCH_TIMEOUT_MS)

    try:
        response = consumer._net.run(ask)
    except kafka.errors.KafkaError:
        return None
    (answer,) = (found for topic in response.topics for found in topic.partitions)
    return answer.end_offset if answer.error_code == 0 and answer.end_offset >= 0 else None


def commit_now(consumer: KafkaConsumer, offsets: Callable[[], Mapping[Any, Any]], timeout_s: float) -> None:
    """Commit ``offsets()`` and wait for it, also while the group settles. Raises kafka-python's errors.

    Kafka refuses commits between the end of a join and the new assignment. That comes by polling, so records
    that are fetched meanwhile are dropped. ``offsets`` is called again for each try, as partitions may have
    been given up.
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


def committed_in(
    consumer: KafkaConsumer, topic: str, timeout_s: float
) -> Mapping[TopicPartition, OffsetAndMetadata]:
    """What the group has committed of all partitions of a topic, whoever owns them.

    Blocks; raises kafka-python's errors. Not while the group settles: Kafka answers the join before.
    """
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    found: Mapping[TopicPartition, OffsetAndMetadata] = consumer._coordinator.fetch_committed_offsets(
        partitions, timeout_ms=int(timeout_s * 1000)
    )
    return found


async def commit_on_io_thread(
    consumer: KafkaConsumer, offsets: Mapping[TopicPartition, OffsetAndMetadata], timeout_s: float
) -> None:
    """Commit in a coroutine of kafka-python's own event loop, and again after a passing error.

    Raises kafka-python's errors.
    """
    await consumer._coordinator._commit_offsets_sync_async(dict(offsets), timeout_ms=int(timeout_s * 1000))


def patiently(cluster: Cluster, doing: str, call: Callable[[], T]) -> T:
    """Call until it does not fail with a passing error, such as a coordinator that is still loading.

    Gives up after the cluster's time-out. Raises WorkersErrors, see :func:`kafka_errors`.
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


def known_partitions(producer: KafkaProducer, topic: str) -> set[int] | None:
    """A topic's partitions; None while its metadata is unknown, as a send would then block."""
    partitions: set[int] | None = producer._metadata.partitions_for_topic(topic)
    return partitions


def look_up_topic(producer: KafkaProducer, cluster: Cluster, topic: str) -> None:
    """Ask Kafka for a topic's metadata. Blocks; raises KafkaUnreachable, TopicsMissing or NotAuthorized."""
    metadata = producer._metadata
    before = metadata._last_successful_refresh_ms
    with kafka_errors(cluster, f"look up topic {topic}"):
        try:
            producer._wait_on_metadata(topic, int(cluster.connect_timeout_s * 1000))
        except kafka.errors.KafkaTimeoutError as exc:
            if metadata._last_successful_refresh_ms == before:
                raise
            # Kafka has answered, again and again: it does not know the topic.
            raise kafka.errors.UnknownTopicOrPartitionError(topic) from exc
