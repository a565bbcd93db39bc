"""Reads records of a log again whose batch was too long for its dead letter."""

from __future__ import annotations

from ..kafka import Cluster, TopicPartition
from ..kafka.topic_reader import TopicReader
from ..records.consumed import ConsumedRecord


def read_again(cluster: Cluster, place: TopicPartition, first: int, last: int) -> list[ConsumedRecord]:
    """The records from offset ``first`` to ``last``; none if the log does not have all of these any more.

    Those that still cannot be read are ``unreadable``. Raises KafkaUnreachable or NotAuthorized.
    """
    with TopicReader(cluster, place.topic) as reader:
        start, end = reader.sizes().get(place, (0, 0))
        if not start <= first <= last < end:
            return []
        return [
            record
            for records in reader.read_partition(place, last + 1, start=first)
            for record in records
            if record.first_offset <= last
        ]
