"""Parts of kafka-python that the pool mends or makes quicker; each says what is wrong with the original."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kafka.errors
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from . import record_batches
from .error_translation import inner_text, is_refusal
from .record_batches import FetchedRecord

#: So many closings in the login in a row are a refusal whose text was lost, see ConnectionManager.
_CLOSES_THAT_MEAN_REFUSED = 4


class Assignor(CooperativeStickyAssignor):  # type: ignore[misc]
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


class PausingFetcher(Fetcher):  # type: ignore[misc]
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


class PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
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


class CoalescingSelector(NetworkSelector):  # type: ignore[misc]
    """Wakes its thread once, however often it is asked to before that has run.

    kafka-python 3.0.12 writes to a socket each time: for almost every record of a producer, for example. A
    thread that sends many gives Python's lock away with each, and gets it back some milliseconds later.
    """

    _woken = False

    def wakeup(self) -> None:
        if not self._woken:
            self._woken = True
            super().wakeup()

    def _process_events(self, event_list: Any) -> None:
        is_woken = any(key.fileobj is self._wakeup_r for key, _ in event_list)
        super()._process_events(event_list)
        if is_woken:
            # Not before the byte is read, else the next one's could be read with it, and be missed. What is
            # asked in between is seen all the same: the loop looks at its work before it waits again.
            self._woken = False


_sock_connect = KafkaNetSocket.sock_connect


async def _connect_or_close(socket: Any, net: Any, sock: Any, sockaddr: Any, timeout_at: Any = None) -> Any:
    """Close the socket of a connection that does not come about.

    kafka-python 3.0.12 drops it, open: where the client is closed while it connects, and where that fails.
    """
    try:
        return await _sock_connect(socket, net, sock, sockaddr, timeout_at=timeout_at)
    except BaseException:
        sock.close()
        raise


KafkaNetSocket.sock_connect = _connect_or_close


class ConnectionManager(KafkaConnectionManager):  # type: ignore[misc]
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
        if bootstrapping and is_refusal(self._last_error):
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
            text = inner_text(self._last_error)
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
