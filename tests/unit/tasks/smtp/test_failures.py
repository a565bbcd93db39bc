"""Attempts that failed: each is told once, when those beside it have ended or it has waited for long."""

from __future__ import annotations

from tasks.smtp.failures import Failures

ERROR = ConnectionRefusedError()


def test_an_attempt_alone_is_told_at_once() -> None:
    failures = Failures()
    failure = failures.add(ERROR, 1.0, [], 2.0)
    assert failures.told(2.0) == [failure]
    assert (failures.told(2.0), len(failures)) == ([], 0)


def test_one_is_told_when_those_beside_it_have_ended() -> None:
    failures = Failures()
    first = failures.add(ERROR, 1.0, ["second", "third"], 2.0)
    failures.ended("second")
    assert failures.told(2.0) == []
    second = failures.add(ERROR, 1.0, ["third"], 2.1)
    failures.ended("third")
    assert failures.told(2.1) == [first, second]


def test_one_that_hangs_holds_no_other_up_for_long() -> None:
    failures = Failures()
    failure = failures.add(ERROR, 1.0, ["hangs"], 2.0)
    assert failures.told(failure.told_at - 0.01) == []
    assert failures.told(failure.told_at) == [failure]
    assert failure.told_at == 3.0


def test_none_is_told_where_another_carries_the_mails() -> None:
    failures = Failures()
    failures.add(ERROR, 1.0, ["second"], 2.0)
    failures.clear()
    failures.ended("second")
    assert failures.told(9.0) == []
