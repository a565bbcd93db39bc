"""Asks for the metadata of all consumers of a process with one request.

Each consumer of kafka-python's asks for its own topics every few seconds, and finds almost every time what it
knows. Here one request asks for the topics of all; a consumer for which the answer has nothing new counts as
having asked, and any other one asks itself. If no answer comes, they all do.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer
from kafka.protocol.metadata import MetadataRequest

#: Below the age at which consumers ask themselves.
INTERVAL_S = 7.0


async def refresh(manager: Any, consumers: Iterable[KafkaConsumer]) -> None:
    """Ask by a connection that there is; on its I/O thread. Raises KafkaError."""
    consumers = list(consumers)
    node_id = next((node for node, connection in manager._conns.items() if connection.connected), None)
    topics = sorted({topic for one in consumers for topic in list(one._cluster._topics)})
    if node_id is None or not topics:
        return
    request = MetadataRequest(
        topics=[MetadataRequest.MetadataRequestTopic(name=topic) for topic in topics],
        allow_auto_topic_creation=False,
        include_cluster_authorized_operations=False,
        include_topic_authorized_operations=False,
    )
    asked_at_ms = time.monotonic() * 1000
    response = await manager.send(request, node_id)
    brokers = {node: (host, port) for node, host, port, *_ in response.brokers}
    found = {topic.name: topic for topic in response.topics}
    for consumer in consumers:
        cluster = consumer._cluster
        if is_known(consumer, brokers, found):
            cluster._last_successful_refresh_ms = max(cluster._last_successful_refresh_ms, asked_at_ms)
        else:
            with suppress(RuntimeError):  # its loop has ended: it closes
                cluster.request_update()


def is_known(consumer: KafkaConsumer, brokers: dict[int, tuple[str, int]], found: dict[str, Any]) -> bool:
    """Whether a consumer knows the brokers and topics as they were found, and noted which logs it reads."""
    cluster = consumer._cluster
    if cluster.need_all_topic_metadata or any(
        partition not in consumer._fetcher.topic_ids for partition in list(consumer._subscription.assignment)
    ):
        return False
    if {node: (one.host, one.port) for node, one in cluster._brokers.items()} != brokers:
        return False
    return all(_is_known(cluster, topic, found.get(topic)) for topic in list(cluster._topics))


def _is_known(cluster: Any, topic: str, found: Any) -> bool:
    known = cluster._partitions.get(topic)
    if found is None or found.error_code or known is None or found.topic_id != cluster.topic_id(topic):
        return False
    return _places(known.values()) == _places(found.partitions)


def _places(partitions: Iterable[Any]) -> dict[int, tuple[int, int, list[int]]]:
    return {one.partition_index: (one.leader_id, one.leader_epoch, one.replica_nodes) for one in partitions}
