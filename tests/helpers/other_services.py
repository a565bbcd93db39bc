"""Records as other services write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaProducer

from workers import Cluster
from workers.kafka.clients import connect


@contextmanager
def foreign_producer(cluster: Cluster, **options: Any) -> Iterator[KafkaProducer]:
    """A producer of kafka-python's with its own defaults, and only the connections of ours.

    Its own connections leave a socket open when a broker refuses them. Python warns of that when it next
    collects garbage, which fails whichever test runs then.
    """
    producer = connect(cluster, KafkaProducer, **options)
    try:
        yield producer
    finally:
        producer.close(timeout=1)
