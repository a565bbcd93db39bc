"""Records that were taken and given back are taken again in their order, and once."""

from __future__ import annotations

import random

from tests.helpers.records import Consumed
from workers.kafka import OffsetAndMetadata, TopicPartition
from workers.partitions import commit_metadata
from workers.partitions.crash_counts import CrashCounter, CrashCounts
from workers.partitions.ledger import Progress
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


#: So many undone offsets, and so scattered, that no more jobs should start.
SCATTERED = Progress((0, *sorted(random.Random(1).sample(range(1, 59_999), 2_500)), 59_999), 60_000)


def next_owner_of(progress: Progress) -> OwnedPartition:
    """The partition after a restart; its first records are there, and the first commit was sent."""
    text = commit_metadata.encode(progress)
    assert commit_metadata.FULL_CHARS < len(text) <= commit_metadata.MAX_CHARS
    counter = CrashCounter(CrashCounts())
    owned = OwnedPartition(TopicPartition("jobs", 0), OffsetAndMetadata(0, text, -1), counter, "w1")
    owned.buffer.extend(Consumed(offset=offset) for offset in range(progress.end + 100))
    assert not is_full(owned)
    return owned


def is_full(owned: OwnedPartition) -> bool:
    """Whether no new job should start after the next commit."""
    owned.to_commit(0.0)
    return owned.full


def test_a_next_owner_runs_all_that_is_undone_however_long_its_commit_is() -> None:
    owned = next_owner_of(SCATTERED)
    for offset in SCATTERED.undone:
        record = owned.take(0.0)
        assert record is not None
        assert record.offset == offset
        assert offset % 100 or not is_full(owned)
    assert is_full(owned)
    for offset in SCATTERED.undone:
        owned.done(offset)
    assert not is_full(owned)


def test_a_next_owner_fetches_what_is_undone_however_long_its_commit_is() -> None:
    owned = next_owner_of(SCATTERED)
    assert owned.take(0.0) is not None
    owned.buffer.clear()
    assert not is_full(owned)


def test_what_is_given_back_is_taken_again_however_long_the_commit_is() -> None:
    owned = next_owner_of(SCATTERED)
    records = [owned.take(0.0) for _ in SCATTERED.undone]
    assert is_full(owned)
    for record in records[1:]:
        assert record is not None
        owned.give_back(record)
    assert not is_full(owned)
    assert taken(owned)[:2_501] == list(SCATTERED.undone[1:])
