"""A look-up of offsets while the leader of a partition is not known."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.structs import OffsetAndTimestamp

from workers.kafka.patches.fetching.waiting import WaitingFetcher

FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)


def run(function: Any, *args: Any) -> Any:
    """Run a coroutine that waits for nothing."""
    with pytest.raises(StopIteration) as ended:
        function(*args).send(None)
    return ended.value.value


def a_fetcher(kind: Any, unknown: int | None) -> Any:
    """One whose cluster has no leader for the second partition until it has asked for new metadata."""
    leaders: dict[TopicPartition, int | None] = {FIRST: 1, SECOND: unknown}

    class Metadata:
        """Comes once it is waited for."""

        def __await__(self) -> Iterator[None]:
            leaders[SECOND] = 2
            return iter(())

    async def answer(_node: int, timestamps: Any) -> Any:
        return {one: OffsetAndTimestamp(7, -1, -1) for one in timestamps}, set()

    async def wait_for(future: Any, _timeout_ms: Any) -> Any:
        return await future

    fetcher = kind.__new__(kind)
    cluster = SimpleNamespace(
        leader_for_partition=leaders.get, add_topic=lambda _: None, request_update=Metadata
    )
    fetcher._manager = SimpleNamespace(
        cluster=cluster, call_soon=lambda call, *args: call(*args), wait_for=wait_for
    )
    fetcher._send_list_offsets_request = answer
    fetcher._net = SimpleNamespace(run=run)
    return fetcher


left_out = pytest.mark.xfail(reason="kafka-python leaves it out", raises=(KeyError, AssertionError))


@pytest.mark.parametrize("unknown", [None, -1], ids=["unknown", "none elected"])
@pytest.mark.parametrize("kind", [WaitingFetcher, pytest.param(Fetcher, marks=left_out)])
def test_a_partition_whose_leader_is_not_known_is_asked_for_again(kind: Any, unknown: int | None) -> None:
    assert a_fetcher(kind, unknown).end_offsets([FIRST, SECOND]) == {FIRST: 7, SECOND: 7}
    assert a_fetcher(kind, unknown).beginning_offsets([FIRST, SECOND]) == {FIRST: 7, SECOND: 7}
    found = a_fetcher(kind, unknown).offsets_by_times({FIRST: 1, SECOND: 1})
    assert {one: offset.offset for one, offset in found.items()} == {FIRST: 7, SECOND: 7}
