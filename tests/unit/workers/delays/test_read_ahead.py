"""Delayed jobs that a mover has read ahead: by due time, and within a bound of memory."""

from __future__ import annotations

from typing import cast

from tests.helpers.records import Consumed
from workers.delays.read_ahead import Hop, ReadAhead
from workers.partitions.owned_partition import OwnedPartition


def hop(size: int = 0) -> Hop:
    return Hop(cast(OwnedPartition, None), Consumed(key=None, value=b"x" * size))


def test_hops_come_out_at_their_time_and_those_of_the_same_time_in_the_order_in_which_they_came() -> None:
    ahead = ReadAhead()
    assert ahead.next_at_ms() is None
    late, first, second = hop(), hop(), hop()
    ahead.push(late, 30)
    ahead.push(first, 20)
    ahead.push(second, 20)
    assert ahead.next_at_ms() == 20
    assert ahead.pop_due(19) is None
    assert [ahead.pop_due(20) for _ in range(3)] == [first, second, None]
    assert ahead.pop_due(1_000) is late
    assert ahead.next_at_ms() is None


def test_it_is_full_from_its_limit_on_until_half_of_it_has_gone() -> None:
    ahead = ReadAhead(max_bytes=40_000)
    assert ahead.has_room()
    for number in range(5):
        assert not ahead.is_full()
        ahead.push(hop(9_000), number)  # and 1,000 for Python
    assert ahead.is_full()
    assert not ahead.has_room()
    for full in (True, True, False):
        ahead.pop_due(1_000)
        assert ahead.is_full() is full
    assert not ahead.has_room()
    ahead.pop_due(1_000)
    assert ahead.has_room()
