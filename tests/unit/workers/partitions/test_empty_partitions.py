"""Partitions without a record are committed once, and say whose they are."""

from __future__ import annotations

from workers.kafka import ReadUpTo, TopicPartition
from workers.partitions import commit_metadata
from workers.partitions.empty_partitions import EmptyPartitions

ONE, OTHER = TopicPartition("jobs", 0), TopicPartition("jobs", 1)


def test_each_end_is_committed_once_with_its_owner() -> None:
    empty = EmptyPartitions("process")
    read = {ONE: ReadUpTo(3, True), OTHER: ReadUpTo(5, False)}
    (offset,) = empty.to_commit(read, ()).values()
    assert offset.offset == 3
    counts = commit_metadata.decode_crash_counts(3, offset.metadata)
    assert (counts.owner, counts.held) == ("process", False)
    assert empty.to_commit(read, ()) == {}
    assert list(empty.to_commit({ONE: ReadUpTo(4, True)}, ())) == [ONE]


def test_one_with_records_is_left_to_its_ledger() -> None:
    assert EmptyPartitions("process").to_commit({ONE: ReadUpTo(3, True)}, {ONE: None}) == {}


def test_a_commit_that_failed_is_sent_again() -> None:
    empty = EmptyPartitions("")
    read = {ONE: ReadUpTo(3, True)}
    assert empty.to_commit(read, ())[ONE].metadata == ""
    empty.commit_again()
    assert list(empty.to_commit(read, ())) == [ONE]
