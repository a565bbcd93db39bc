"""One suspected job at a time, with no other in hand."""

from __future__ import annotations

from workers.consumer.run_alone import RunAlone


def test_a_suspected_job_waits_for_those_in_hand_and_lets_no_new_one_start() -> None:
    solo = RunAlone(lambda: 0.0)
    assert solo.enter()
    assert not solo.enter_alone()
    assert not solo.enter()
    solo.leave()
    assert solo.enter_alone()
    assert not solo.enter()
    assert not solo.enter_alone()
    solo.leave_alone()
    assert solo.enter()


def test_a_job_that_takes_long_is_not_waited_for_for_ever() -> None:
    now = 0.0
    solo = RunAlone(lambda: now)
    solo.enter()
    assert not solo.enter_alone()
    now = 31.0
    assert solo.enter()
    assert not solo.enter_alone()
    solo.leave(2)
    assert not solo.enter_alone()  # a pause between two tries
    now = 100.0
    assert solo.enter_alone()


def test_a_drain_that_nobody_follows_up_ends() -> None:
    now = 0.0
    solo = RunAlone(lambda: now)
    solo.enter()
    assert not solo.enter_alone()  # and its consumer closes
    now = 31.0
    assert solo.enter()


def test_others_start_at_once_where_the_suspected_job_goes_to_another_worker() -> None:
    now = 0.0
    solo = RunAlone(lambda: now)
    solo.enter()
    assert not solo.enter_alone()
    solo.abandon()
    assert solo.enter()
    solo.leave(2)
    now = 1.0
    assert solo.enter_alone()  # the next one need not wait for it
    solo.abandon()  # another queue's, while one runs
    assert not solo.enter()
