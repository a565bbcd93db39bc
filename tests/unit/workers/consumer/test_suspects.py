"""Suspected jobs run one at a time, and what they leave behind is committed before others start."""

from __future__ import annotations

from tests.helpers.records import Consumed
from workers.consumer.run_alone import RunAlone
from workers.consumer.suspects import Suspects
from workers.kafka import OffsetAndMetadata, TopicPartition
from workers.partitions.crash_counts import CrashCounter, CrashCounts
from workers.partitions.owned_partition import OwnedPartition


def partition(number: int = 0) -> OwnedPartition:
    crashes = CrashCounter(CrashCounts(deaths={5: 2}))
    return OwnedPartition(TopicPartition("t", number), OffsetAndMetadata(0, "", -1), crashes)


def test_others_start_again_only_once_a_commit_says_that_the_suspect_is_done() -> None:
    room, owned = RunAlone(), partition()
    suspects = Suspects(room)
    suspects.add(owned, Consumed(key=None, value=b"", offset=5))
    assert suspects.take(lambda: True) is not None
    assert not room.enter()
    assert suspects.note_done(owned, 5)
    assert not room.enter(), "a death now would count as one of the suspect"
    assert suspects.take(lambda: False) is None
    assert not room.enter()
    assert suspects.are_waiting
    assert suspects.take(lambda: True) is None
    assert room.enter()


def test_a_suspect_whose_partition_was_lost_and_came_back_is_known_again() -> None:
    room, owned = RunAlone(), partition()
    suspects = Suspects(room)
    suspects.add(owned, Consumed(key=None, value=b"", offset=5))
    suspects.take(lambda: True)
    assert not suspects.note_done(partition(1), 5)
    assert suspects.note_done(partition(), 5)


def test_a_suspect_of_a_paused_queue_is_put_back_and_has_its_turn_again() -> None:
    room, owned = RunAlone(), partition()
    suspects, record = Suspects(room), Consumed(key=None, value=b"", offset=5)
    suspects.add(owned, record)
    assert owned.crashes is not None
    assert suspects.take(lambda: True) is not None
    assert owned.crashes.to_commit(held=True).deaths[5] == 3
    suspects.put_back(owned, 5)
    assert suspects.note_done(owned, 5)
    assert owned.crashes.to_commit(held=True).deaths[5] == 2, "it has not run"
    suspects.settle(lambda: True)
    assert room.enter(), "others start while the queue is paused"
    room.leave()
    suspects.add(owned, record)
    assert suspects.take(lambda: True) is not None


def test_a_suspect_of_a_paused_queue_makes_no_room_until_it_may_start() -> None:
    room, owned = RunAlone(), partition()
    suspects, others = Suspects(room), Suspects(room)
    assert room.enter()
    suspects.add(owned, Consumed(key=None, value=b"", offset=5))
    assert suspects.take(lambda: True) is None
    assert not room.enter(), "others wait"
    suspects.stand_back(lambda: True)
    assert room.enter(), "its queue is paused"
    others.add(partition(1), Consumed(key=None, value=b"", offset=5))
    assert others.take(lambda: True) is None
    suspects.stand_back(lambda: True)
    assert not room.enter(), "the room that another queue makes is left alone"
    room.leave(2)
    assert others.take(lambda: True) is not None


def test_a_consumer_that_closes_lets_other_jobs_of_the_process_start() -> None:
    for ended in (False, True):
        room, owned = RunAlone(), partition()
        suspects = Suspects(room)
        suspects.add(owned, Consumed(key=None, value=b"", offset=5))
        suspects.take(lambda: True)
        if ended:
            suspects.note_done(owned, 5)
        assert suspects.close() is not ended
        assert room.enter()
