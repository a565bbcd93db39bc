"""When the next poll is due."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from workers import Cluster
from workers.consumer.polling import Poller
from workers.kafka import TopicPartition

PARTITIONS = [TopicPartition("jobs", number) for number in range(2)]


class Client:
    """A client whose next poll brings what it is told."""

    def __init__(self) -> None:
        self.next: dict[TopicPartition, list[Any]] = {}
        self.timeouts_ms: list[int] = []
        self._coordinator = SimpleNamespace(need_rejoin=lambda: False)

    def poll(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        assert max_records == 500
        self.timeouts_ms.append(timeout_ms)
        return self.next

    def pause(self, *_: TopicPartition) -> None:
        """Nothing is paused."""

    resume = pause

    def paused(self) -> set[TopicPartition]:
        return set()


@pytest.mark.parametrize(
    ("counts", "rest_s"), [((), 0), ((1,), 0.005), ((1, 1), 0.005), ((25, 24), 0.005), ((25, 25), 0)]
)
def test_after_few_records_the_next_poll_may_wait_a_little_to_bring_several(
    counts: tuple[int, ...], rest_s: float
) -> None:
    client = Client()
    poller = Poller(client, Cluster(), "default", lambda *_: None, clock=lambda: 100.0)
    client.next = {partition: [None] * count for partition, count in zip(PARTITIONS, counts, strict=False)}
    poller.poll(1.0, ())
    assert max(0.0, poller.rest_s(100.0)) == pytest.approx(rest_s)
    assert poller.rest_s(100.005) <= 0


def test_a_poll_takes_no_less_than_it_is_told() -> None:
    """Otherwise one without any wait would follow for the rest of the millisecond."""
    client = Client()
    Poller(client, Cluster(), "default", lambda *_: None).poll(0.9991, ())
    assert client.timeouts_ms == [1_000]
