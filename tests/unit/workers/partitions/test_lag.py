"""A partition's jobs, told from its log and its commit."""

from __future__ import annotations

from workers.partitions.commit_metadata import encode
from workers.partitions.lag import Partition
from workers.partitions.ledger import Progress


def test_without_a_commit_all_waits() -> None:
    partition = Partition(3, 10)
    assert (partition.not_done, partition.in_hand, partition.untrimmed) == (7, 0, 0)
    assert partition.first_undone == 3


def test_what_is_open_is_in_hand_and_what_comes_after_waits() -> None:
    metadata = encode(Progress((5, 8), 12))
    partition = Partition(2, 20, 5, metadata)
    assert (partition.not_done, partition.in_hand, partition.untrimmed) == (2 + 8, 2, 3)
    assert partition.first_undone == 5


def test_a_position_outside_the_log_counts_nothing_that_is_not_there() -> None:
    behind = Partition(10, 12, 5, encode(Progress((5, 6), 7)))
    assert (behind.not_done, behind.in_hand, behind.untrimmed, behind.first_undone) == (2, 0, 0, 10)
    ahead = Partition(0, 4, 9)
    assert (ahead.not_done, ahead.untrimmed) == (0, 4)
