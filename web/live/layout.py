"""The partitions that a cursor has the offsets of, and the epoch that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.kafka import KafkaConsumer, TopicPartition, topic_ids

from .cursor import epoch_of


@dataclass(frozen=True, slots=True)
class Layout:
    """The partitions of the followed topics, in the order of a cursor, and their epoch."""

    partitions: tuple[TopicPartition, ...]
    epoch: bytes


def layout_of(consumer: KafkaConsumer, topics: Sequence[str]) -> Layout | None:
    """Ask for the layout of the topics; None if one does not exist. Raises kafka-python's errors."""
    found = [sorted(consumer.partitions_for_topic(topic) or ()) for topic in topics]
    if not all(found):
        return None
    ids = topic_ids(consumer, topics)
    epoch = epoch_of((topic, ids.get(topic), len(parts)) for topic, parts in zip(topics, found, strict=True))
    partitions = tuple(
        TopicPartition(topic, one) for topic, parts in zip(topics, found, strict=True) for one in parts
    )
    return Layout(partitions, epoch)
