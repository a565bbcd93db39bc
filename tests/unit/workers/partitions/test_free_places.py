"""Places for jobs are found where threads are free, by what the group has committed."""

from __future__ import annotations

from collections import Counter

from workers.kafka import OffsetAndMetadata, TopicPartition
from workers.partitions import commit_metadata
from workers.partitions.commit_metadata import Load
from workers.partitions.crash_counts import CrashCounts
from workers.partitions.free_places import FreePlaces
from workers.partitions.ledger import Progress


def place(number: int) -> TopicPartition:
    return TopicPartition("jobs", number)


def free_places(jobs_at_once: int, *dead: str) -> FreePlaces:
    return FreePlaces("me", jobs_at_once, dead.__contains__)


def commit(
    owner: str, undone: tuple[int, ...] = (), *, end: int = 10, busy: bool = False, waiting: int = 0
) -> OffsetAndMetadata:
    """The commit of an owner that has taken all below ``end`` and has some in hand."""
    progress = Progress(undone, end)
    held = CrashCounts(True, {}, owner) if owner else CrashCounts()
    return OffsetAndMetadata(
        progress.position, commit_metadata.encode(progress, held, Load(busy, waiting)), -1
    )


def test_a_process_without_work_gets_as_many_jobs_as_it_runs_at_once() -> None:
    free = free_places(2)
    assert free.find({place(0): commit("me"), place(1): commit("a")}, 9) == [place(1)] * 2


def test_its_partitions_and_the_processes_take_turns() -> None:
    commits = {place(number): commit("a" if number < 2 else "b") for number in range(4)}
    found = free_places(2).find(commits, 9)
    assert Counter(found) == {place(number): 1 for number in range(4)}
    assert {each.partition // 2 for each in found[:2]} == {0, 1}
    assert len(free_places(2).find(commits, 3)) == 3


def test_what_a_process_has_in_hand_and_what_waits_in_it_takes_its_threads() -> None:
    assert free_places(4).find({place(0): commit("a", (7, 8), waiting=1)}, 9) == [place(0)]
    assert free_places(4).find({place(0): commit("a", (7, 8), waiting=2)}, 9) == []
    assert free_places(4).find({place(0): commit("a", waiting=9)}, 9) == []


def test_a_process_that_says_that_it_is_busy_gets_none() -> None:
    commits = {place(0): commit("a", busy=True), place(1): commit("a"), place(2): commit("b")}
    assert set(free_places(1).find(commits, 9)) == {place(2)}


def test_a_partition_that_nobody_holds_gets_none() -> None:
    assert free_places(1).find({place(0): commit("")}, 9) == []


def test_a_process_that_is_known_to_be_dead_gets_none() -> None:
    commits = {place(0): commit("a"), place(1): commit("b")}
    assert free_places(1, "a").find(commits, 9) == [place(1)]


def test_a_partition_to_avoid_gets_none_and_its_owner_gets_as_many_by_its_others() -> None:
    commits = {place(0): commit("a"), place(1): commit("a"), place(2): commit("b")}
    assert Counter(free_places(2).find(commits, 9, {place(0), place(2)})) == {place(1): 2}


def test_a_process_whose_commits_do_not_show_what_it_was_given_gets_no_more() -> None:
    free = free_places(1)
    assert free.find({place(0): commit("a")}, 9) == [place(0)]
    assert free.find({place(0): commit("a")}, 9) == []
    assert free.find({place(0): commit("a", (10,), end=11)}, 9) == []
    assert len(free.find({place(0): commit("a", end=11)}, 9)) == 4


def test_a_process_that_has_done_all_that_it_was_given_may_have_more() -> None:
    free = free_places(1)
    given = [len(free.find({place(0): commit("a", end=10 + turn)}, 1_000)) for turn in range(6)]
    assert given == [1, 4, 16, 64, 256, 512]
    assert len(free.find({place(0): commit("a", end=20, waiting=100)}, 1_000)) == 412
    free.forget()
    assert len(free.find({place(0): commit("a")}, 1_000)) == 1
