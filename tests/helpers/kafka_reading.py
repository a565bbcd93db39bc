"""Looking at a real Kafka from a test."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from workers import Cluster, KafkaBroker
from workers.dead_letters import reader as dead_letter_reader
from workers.dead_letters.letter import DeadLetter
from workers.kafka import KafkaError, OffsetSpec, TopicPartition, connect_admin, connect_consumer


def read_topic(cluster: Cluster, topic: str) -> list[Any]:
    """All records of a topic as of now, partition by partition; an absent topic has none."""
    with connect_admin(cluster) as admin:
        (described,) = admin.describe_topics([topic])
        partitions = [TopicPartition(topic, p["partition_index"]) for p in described["partitions"]]
        if not partitions:
            return []
        ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
    consumer = connect_consumer(cluster, None)
    try:
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        records: list[Any] = []
        while any(consumer.position(partition) < ends[partition].offset for partition in partitions):
            for batch in consumer.poll(timeout_ms=200).values():
                records += batch
    finally:
        consumer.close()
    return sorted(records, key=lambda record: (record.partition, record.offset))


def letters_of(broker: KafkaBroker) -> list[DeadLetter]:
    """The dead letters that nobody has resolved."""
    entries = dead_letter_reader.unresolved(broker.cluster, broker.topics.dead_letters)
    return [entry.letter for entry in entries]


def committed_position(broker: KafkaBroker, queue: str) -> int:
    """The sum of what a queue's group has committed in all partitions."""
    group = broker.topics.group(queue)
    with connect_admin(broker.cluster) as admin:
        committed = admin.list_group_offsets(group)[group]
    return sum(max(position.offset, 0) for position in committed.values())


def members_of(cluster: Cluster, group: str) -> list[str]:
    """The client ids of a group's members."""
    # The first group of a Kafka has no coordinator for a moment.
    with suppress(KafkaError), connect_admin(cluster) as admin:
        return [member["client_id"] for member in admin.describe_groups([group])[group]["members"]]
    return []
