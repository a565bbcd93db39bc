"""The thread of the updates: closing it loses nothing, and no error ends it."""

from __future__ import annotations

import threading

import pytest

from tasks.updates import announcer
from tasks.updates.announcer import Announcer
from tasks.updates.asyncapi import sample
from tasks.updates.records import Deed
from tests.helpers.waiting import wait_for
from workers.records.envelope import Record

UPDATE = sample(Deed.MAIL_SENT)


class Future:
    def add_errback(self, _: object) -> None:
        pass


class SlowLog:
    """A topic that counts its records; writing waits while it is told to, or fails."""

    def __init__(self) -> None:
        self.count = 0
        self.writes, self.may_write = threading.Event(), threading.Event()
        self.may_write.set()
        self.errors: list[Exception] = []

    def partitions(self) -> int:
        return 1

    def write(self, _record: Record, _partition: int) -> Future:
        self.writes.set()
        assert self.may_write.wait(30)
        if self.errors:
            raise self.errors.pop()
        self.count += 1
        return Future()


def test_closing_loses_no_update_that_comes_while_the_thread_writes() -> None:
    log = SlowLog()
    log.may_write.clear()
    announce = Announcer(log, gather_s=0)
    announce(UPDATE)
    assert log.writes.wait(30)
    announce(UPDATE)
    closing = threading.Thread(target=announce.close)
    closing.start()
    wait_for(lambda: announce._thread is None)
    log.may_write.set()
    closing.join(30)
    assert log.count == 2


def test_an_update_that_comes_while_it_is_closed_is_for_a_thread_that_stays() -> None:
    log = SlowLog()
    log.may_write.clear()
    announce = Announcer(log, gather_s=0)
    announce(UPDATE)
    assert log.writes.wait(30)
    closing = threading.Thread(target=announce.close)
    closing.start()
    wait_for(lambda: announce._thread is None)
    announce(UPDATE)
    log.may_write.set()
    closing.join(30)
    announce(UPDATE)
    wait_for(lambda: log.count >= 2 and not announce._waiting)
    assert announce._thread is not None
    assert announce._thread.is_alive()
    announce.close()


def test_an_error_of_any_kind_is_a_lost_update_and_the_thread_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = SlowLog()
    log.errors = [ValueError("Unrecognized partition")]
    announce = Announcer(log, gather_s=0)
    announce(UPDATE)
    wait_for(lambda: announce.lost == 1)
    first = announce._thread
    announce(UPDATE)
    wait_for(lambda: log.count == 1)
    assert announce._thread is first
    announce.close()
    assert "update.lost count=1 since start: Unrecognized partition" in caplog.text


def test_where_no_thread_can_start_the_update_is_lost_and_the_next_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    log = SlowLog()
    announce = Announcer(log, gather_s=0)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        announce(UPDATE)
    assert announce.lost == 1
    announce(UPDATE)
    announce.close()
    assert log.count == 1


def test_many_updates_are_gathered_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcer, "_LONGER_FOR_MANY", 1_000_000)
    log = SlowLog()
    announce = Announcer(log, gather_s=0.001)
    announce._waiting = [UPDATE] * (announcer._MANY - 1)
    announce(UPDATE)
    assert not log.writes.wait(0.1)
    announce(UPDATE)
    announce.close()
    assert log.count == 1
