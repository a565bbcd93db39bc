"""One suspected job at a time, with no other in hand."""

from __future__ import annotations

from workers.consumer.run_alone import RunAlone


def test_a_suspected_job_waits_for_those_in_hand_and_lets_no_new_one_start() -> None:
    room = RunAlone(lambda: 0.0)
    assert room.enter()
    assert not room.enter_alone()
    assert not room.enter()
    room.leave()
    assert room.enter_alone()
    assert not room.enter()
    assert not room.enter_alone()
    room.leave_alone()
    assert room.enter()


def test_a_job_that_takes_long_is_not_waited_for_for_ever() -> None:
    now = 0.0
    room = RunAlone(lambda: now)
    room.enter()
    assert not room.enter_alone()
    now = 31.0
    assert room.enter()
    assert not room.enter_alone()
    room.leave(2)
    assert not room.enter_alone()  # a pause between two tries
    now = 100.0
    assert room.enter_alone()


def test_a_drain_that_nobody_follows_up_ends() -> None:
    now = 0.0
    room = RunAlone(lambda: now)
    room.enter()
    assert not room.enter_alone()  # and its consumer closes
    now = 31.0
    assert room.enter()


def test_others_start_at_once_where_the_suspected_job_goes_to_another_worker() -> None:
    now = 0.0
    room = RunAlone(lambda: now)
    room.enter()
    assert not room.enter_alone()
    room.abandon()
    assert room.enter()
    room.leave(2)
    now = 1.0
    assert room.enter_alone()  # the next one need not wait for it
    room.abandon()  # another queue's, while one runs
    assert not room.enter()
