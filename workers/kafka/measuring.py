"""Measures the commits and the rebalances of a queue's consumer."""

from __future__ import annotations

from collections.abc import Mapping

from kafka import KafkaConsumer
from kafka.structs import OffsetAndMetadata

from ..measures.catalogue import COMMIT_DURATION, COMMIT_METADATA, REBALANCE_PAUSE, REBALANCES


def measure(consumer: KafkaConsumer, queue: str) -> None:
    """Have the commits and rebalances of a consumer counted as those of ``queue``, on its I/O thread."""

    def joined(took_s: float) -> None:
        REBALANCES.add(queue)
        REBALANCE_PAUSE.observe(took_s, queue)

    def committed(offsets: Mapping[object, OffsetAndMetadata], took_s: float) -> None:
        COMMIT_DURATION.observe(took_s, queue)
        for offset in offsets.values():
            COMMIT_METADATA.observe(len(offset.metadata), queue)

    consumer._coordinator.on_joined = joined
    consumer.on_committed = committed
