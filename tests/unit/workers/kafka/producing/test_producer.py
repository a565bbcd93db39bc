"""The producer refuses what kafka-python would fail over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from workers import Cluster
from workers.errors import KafkaUnreachable
from workers.kafka.producing.producer import DurableProducer
from workers.records.envelope import Record


def test_a_partition_that_was_just_added_and_is_not_known_yet_is_refused() -> None:
    def send(*_: object) -> None:
        raise ValueError("Unrecognized partition 3 for topic jobs")

    durable = DurableProducer(Cluster(("nowhere:1",)))
    metadata = SimpleNamespace(partitions_for_topic=lambda _: {0, 1, 2})
    client: Any = SimpleNamespace(_metadata=metadata, send=send)
    durable._producer = client
    with pytest.raises(KafkaUnreachable, match="partition 3 of topic jobs is not known yet"):
        durable.send("jobs", Record(b"k", b"v", []), partition=3)
