"""A consumer disconnects when it is closed, whatever fails meanwhile."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from kafka import KafkaConsumer

from workers.kafka.patches.consumer import QuietConsumer

upstream = pytest.mark.xfail(reason="kafka-python stays connected", raises=AssertionError)


@pytest.mark.parametrize("kind", [QuietConsumer, pytest.param(KafkaConsumer, marks=upstream)])
def test_a_consumer_that_cannot_leave_its_group_disconnects(kind: Any) -> None:
    consumer = kind.__new__(kind)
    consumer._closed, consumer.config = False, {"request_timeout_ms": 1_000}
    consumer._coordinator, consumer._client = Mock(), Mock()
    consumer._coordinator.close.side_effect = RuntimeError("a listener failed")
    with pytest.raises(RuntimeError, match="a listener failed"):
        consumer.close()
    assert consumer._client.close.called
