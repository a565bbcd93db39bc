"""Calls of kafka-python's clients that must not hold up the thread that consumes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from workers.kafka import end_of_epoch

PARTITION = TopicPartition("t", 0)


def consumer_whose_broker_answers(answer: Any) -> Any:
    """A consumer, and how long it was willing to wait for each answer; None never comes."""
    waits: list[int] = []

    async def wait_for(sent: Any, timeout_ms: int) -> Any:
        waits.append(timeout_ms)
        if sent is None:
            raise KafkaTimeoutError
        return sent

    cluster = SimpleNamespace(leader_epoch_for_partition=lambda _: 7, leader_for_partition=lambda _: 1)
    manager = SimpleNamespace(cluster=cluster, send=lambda *_, **__: answer, wait_for=wait_for)
    net = SimpleNamespace(run=lambda ask: asyncio.run(ask()))
    return SimpleNamespace(_fetcher=SimpleNamespace(_manager=manager), _net=net, waits=waits)


@pytest.mark.parametrize(("error", "end"), [(0, 12), (75, None)])
def test_the_end_of_an_epoch_is_what_the_leader_says(error: int, end: int | None) -> None:
    found = SimpleNamespace(error_code=error, end_offset=12)
    answer = SimpleNamespace(topics=[SimpleNamespace(partitions=[found])])
    assert end_of_epoch(consumer_whose_broker_answers(answer), PARTITION, 6) == end


def test_a_leader_that_does_not_answer_is_not_waited_for_long() -> None:
    consumer = consumer_whose_broker_answers(None)
    assert end_of_epoch(consumer, PARTITION, 6) is None
    assert consumer.waits == [1_000]
