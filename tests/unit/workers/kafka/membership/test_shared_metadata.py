"""One look at the topics of all consumers; only those ask themselves for which it has something new."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest
from kafka import TopicPartition
from kafka.cluster import ClusterMetadata
from kafka.net.selector import NetworkSelector
from kafka.protocol.metadata import MetadataResponse

from workers.kafka.membership import shared_metadata

_VERSION = 12
ID, OTHER = UUID(int=7), UUID(int=8)
Broker, Topic, Partition = (
    MetadataResponse.MetadataResponseBroker,
    MetadataResponse.MetadataResponseTopic,
    MetadataResponse.MetadataResponseTopic.MetadataResponsePartition,
)


def answer(
    name: str = "jobs",
    *,
    topic_id: UUID = ID,
    partitions: int = 2,
    leader: int = 1,
    epoch: int = 5,
    port: int = 9092,
    error: int = 0,
) -> Any:
    places = [
        Partition(
            error_code=0,
            partition_index=number,
            leader_id=leader,
            leader_epoch=epoch,
            replica_nodes=[1],
            isr_nodes=[1],
            offline_replicas=[],
        )
        for number in range(partitions)
    ]
    topic = Topic(error_code=error, name=name, topic_id=topic_id, is_internal=False, partitions=places)
    brokers = [Broker(1, "kafka", port, None)]
    made = MetadataResponse(
        throttle_time_ms=0, brokers=brokers, cluster_id="c", controller_id=1, topics=[topic]
    )
    return MetadataResponse.decode(made.encode(version=_VERSION), version=_VERSION)


def consumer(*assigned: int) -> Any:
    """A consumer that knows the answer, and asked long ago."""
    cluster = ClusterMetadata()
    cluster._topics = {"jobs"}
    cluster.update_metadata(answer())
    cluster._last_successful_refresh_ms = 0
    cluster.request_update = Mock()
    partitions = {TopicPartition("jobs", number) for number in assigned}
    return SimpleNamespace(
        _cluster=cluster,
        _subscription=SimpleNamespace(assignment=dict.fromkeys(partitions)),
        _fetcher=SimpleNamespace(topic_ids=dict.fromkeys(partitions, ID)),
    )


def refresh(response: Any, *consumers: Any, connected: bool = True) -> list[Any]:
    """The requests that are sent."""
    sent: list[Any] = []

    async def send(request: Any, _node: int) -> Any:
        sent.append(request)
        return response

    manager = SimpleNamespace(_conns={1: SimpleNamespace(connected=connected)}, send=send)
    net = NetworkSelector()
    try:
        net.run(shared_metadata.refresh, manager, consumers)
    finally:
        net.close()
    return sent


def test_consumers_that_know_what_is_found_need_not_ask() -> None:
    started_ms = time.monotonic() * 1000
    known = [consumer(0, 1), consumer()]
    (request,) = refresh(answer(), *known)
    assert ([topic.name for topic in request.topics], request.allow_auto_topic_creation) == (["jobs"], False)
    for one in known:
        assert one._cluster._last_successful_refresh_ms >= started_ms
        assert not one._cluster.request_update.called


@pytest.mark.parametrize(
    "found",
    [
        answer(partitions=3),
        answer(leader=2),
        answer(epoch=6),
        answer(topic_id=OTHER),
        answer(port=9093),
        answer(error=3),
        answer("other"),
    ],
    ids=["partitions", "leader", "epoch", "made-again", "broker-moved", "deleted", "not-told"],
)
def test_a_consumer_asks_itself_for_what_is_new(found: Any) -> None:
    one = consumer(0)
    refresh(found, one)
    assert one._cluster.request_update.called
    assert one._cluster._last_successful_refresh_ms == 0


def test_a_consumer_that_has_not_noted_whose_log_it_reads_asks_itself() -> None:
    one = consumer(0, 1)
    del one._fetcher.topic_ids[TopicPartition("jobs", 1)]
    refresh(answer(), one)
    assert one._cluster.request_update.called


def test_nothing_is_asked_without_a_connection() -> None:
    assert refresh(answer(), consumer(0), connected=False) == []
