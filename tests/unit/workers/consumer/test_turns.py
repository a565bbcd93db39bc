"""A partition has its turn until its records are handed out; then the next one has."""

from __future__ import annotations

from tests.helpers.records import Consumed
from workers.consumer.turns import Turns
from workers.kafka import OffsetAndMetadata, TopicPartition
from workers.partitions.owned_partition import OwnedPartition


def partition(number: int, records: int = 1) -> OwnedPartition:
    owned = OwnedPartition(TopicPartition("t", number), OffsetAndMetadata(0, "", -1))
    owned.buffer.extend(Consumed(offset=offset) for offset in range(records))
    return owned


def test_the_turn_stays_where_it_was_stopped_and_goes_on_from_there() -> None:
    turns, first, second, empty = Turns(), partition(0), partition(1), partition(2, records=0)
    for owned in (first, second, first, empty):
        turns.add(owned)
    assert next(iter(turns)) is first
    assert next(iter(turns)) is first, "its turn lasts"
    assert list(turns) == [first, second], "each once"
    first.buffer.clear()
    assert list(turns) == [first, second]
    assert list(turns) == [second], "it has nothing left"
