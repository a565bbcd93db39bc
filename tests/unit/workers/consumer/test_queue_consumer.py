"""How long the consumer of a paused queue waits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from workers.consumer.queue_consumer import QueueConsumer


@pytest.mark.parametrize(("in_hand_count", "expected"), [(0, 1.0), (1, 0.3)])
def test_a_paused_queue_is_polled_rarely_unless_an_ack_may_come(in_hand_count: int, expected: float) -> None:
    """Also if it was paused before anybody looked whether jobs wait."""
    waited: list[float] = []
    consumer: Any = QueueConsumer.__new__(QueueConsumer)
    consumer._paused, consumer._in_hand_count, consumer._commit_interval_s = True, in_hand_count, 0.3
    consumer._suspects = consumer._given_up = SimpleNamespace(are_waiting=False)
    consumer._passing_on = SimpleNamespace(has_nothing=False)
    consumer._commits = SimpleNamespace(is_saving=False)
    consumer._poller = SimpleNamespace(stay=waited.append)
    consumer._wait(now=100.0, deadline=101.0)
    assert waited == [expected]
