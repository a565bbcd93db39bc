"""Records that were taken and given back are taken again in their order, and once."""

from __future__ import annotations

from tests.helpers.records import Consumed
from workers.kafka import OffsetAndMetadata, TopicPartition
from workers.partitions.owned_partition import OwnedPartition


def partition(count: int) -> OwnedPartition:
    owned = OwnedPartition(TopicPartition("jobs", 0), OffsetAndMetadata(0, "", -1))
    owned.buffer.extend(Consumed(offset=offset) for offset in range(count))
    return owned


def taken(owned: OwnedPartition) -> list[int]:
    found = []
    while (record := owned.take(0.0)) is not None:
        found.append(record.offset)
    return found


def test_what_is_given_back_in_any_order_is_taken_again_in_its_own() -> None:
    owned = partition(6)
    records = [owned.take(0.0) for _ in range(4)]
    owned.done(1)
    for index in (2, 0, 3):
        record = records[index]
        assert record is not None
        owned.give_back(record)
    assert [record.offset for record in owned.buffer] == [0, 2, 3, 4, 5]
    assert taken(owned) == [0, 2, 3, 4, 5]
    assert list(owned.in_hand) == [0, 2, 3, 4, 5]


def test_a_partition_that_is_closed_leaves_it_to_the_next_owner() -> None:
    owned = partition(1)
    record = owned.take(0.0)
    assert record is not None
    owned.close()
    owned.give_back(record)
    assert not owned.buffer
    assert not owned.in_hand
    assert owned.ledger.progress().undone == (0,)
