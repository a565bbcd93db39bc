"""Which job of a queue counts as the oldest, and how old it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.helpers.records import Consumed
from workers.cli import status
from workers.kafka import TopicPartition
from workers.operations.oldest_job import OldestJob, oldest_job
from workers.operations.queue_status import QueueStatus
from workers.operations.scaling import Scale, scale
from workers.partitions.lag import Partition

NOW_S = 1_700_000_000.0


def oldest_of(*stamps: int) -> OldestJob:
    undone = [Consumed("jobs", number, 7, stamp) for number, stamp in enumerate(stamps)]
    busy = {TopicPartition("jobs", number): Partition(0, 9) for number in range(len(stamps))}
    found = oldest_job(undone, busy, NOW_S, has_members=True)
    assert found is not None
    return found


def test_the_one_that_was_written_first_is_the_oldest() -> None:
    found = oldest_of(1_699_999_990_000, 1_699_999_980_000, 1_699_999_995_000)
    assert (found.partition, found.age_s) == (1, 20.0)


@pytest.mark.parametrize("stamp", [-1, 0])
def test_a_record_without_a_time_is_the_oldest_only_if_there_is_no_other(stamp: int) -> None:
    found = oldest_of(stamp, 1_699_999_980_000, stamp)
    assert (found.partition, found.age_s) == (1, 20.0)
    assert oldest_of(stamp).age_s is None


def test_the_earliest_time_of_all_counts() -> None:
    assert oldest_of(1_699_999_980_000, 1).age_s == NOW_S - 0.001


def test_a_time_years_ahead_gives_no_age_below_0() -> None:
    assert oldest_of(4_000_000_000_000).age_s == 0.0


def test_where_nothing_is_undone_there_is_none() -> None:
    assert oldest_job([], {}, NOW_S, has_members=True) is None


def test_status_shows_one_without_a_time_without_an_age() -> None:
    queue: Any = QueueStatus("mail", 1, 1, 0, 0, 0, replace(oldest_of(-1), actor="work", message_id="id-1"))
    assert status._oldest(queue) == "waiting: work id-1 (0/7)"


def test_an_autoscaler_gets_no_age_of_one_without_a_time() -> None:
    assert scale(QueueStatus("mail", 1, 1, 0, 0, 0, oldest_of(-1)), 0, ()) == Scale(1, 0.0)
