"""A scan of the log ends as soon as it is of use to nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.helpers.records import Consumed
from tests.helpers.waiting import wait_for
from web.live import history
from web.live.follower import Reading
from web.live.history import Found, Historian, read
from web.live.layout import Layout
from web.live.protocol import Close, Resync
from web.live.returning import Returning
from web.live.send_buffer import MAX_FRAMES
from web.live.session import Session
from web.live.views import Views
from workers import Cluster
from workers.errors import WorkersError
from workers.kafka import KafkaConsumer, TopicPartition

PART = TopicPartition("t", 0)
#: How many records a poll brings.
AT_ONCE = 500
VALUE = b'{"specversion": "1.0", "id": "1", "source": "/x", "type": "shop.sale", "data": {"to": "ana"}}'
VIEWS = Views({"shop.sale": lambda _: {}}, audience=lambda event: (event["data"]["to"],))


@dataclass
class Log:
    """A log that goes on for ever, whose every event ana may see."""

    offset: int = 0
    after_poll: Callable[[int], object] = lambda _: None

    def assign(self, partitions: object) -> None:
        """There is one only."""

    def seek(self, partition: object, offset: int) -> None:
        self.offset = offset

    def position(self, partition: object) -> int:
        return self.offset

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        begin = self.offset
        self.offset += AT_ONCE
        self.after_poll(self.offset)
        return {
            PART: [Consumed(topic="t", offset=offset, value=VALUE) for offset in range(begin, self.offset)]
        }


def returning(user: str, epoch: bytes = b"epoch") -> Returning:
    session = Session(user, now=0, expires_at=1_000, wake=lambda: None)
    return Returning(session, epoch, (0,), "", 0)


def scan(log: Log, found: Found, end: int, is_stopping: Callable[[], bool] = lambda: False) -> None:
    reading = Reading(Layout((PART,), b"epoch"), [0], VIEWS)
    read(cast(KafkaConsumer, log), reading, [end], found, is_stopping)


def found_for(*clients: Returning) -> Found:
    found = Found(b"epoch")
    found.returning = list(clients)
    return found


def test_who_misses_too_much_is_refused_and_nothing_more_is_read_for_it() -> None:
    log, client = Log(), returning("ana")
    found = found_for(client)
    scan(log, found, 1_000_000)
    assert (found.returning, found.refused) == ([], [(client, Resync.TOO_MUCH)])
    assert log.offset <= MAX_FRAMES + AT_ONCE


def test_the_others_are_read_for_to_the_end() -> None:
    log, much, nothing = Log(), returning("ana"), returning("bob")
    found = found_for(much, nothing)
    scan(log, found, 3_000)
    assert (found.returning, found.refused) == ([nothing], [(much, Resync.TOO_MUCH)])
    assert log.offset == 3_000


def test_who_has_seen_topics_that_were_made_anew_since_is_refused_and_not_read_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Connected(Log):
        def beginning_offsets(self, partitions: object) -> dict[TopicPartition, int]:
            return {PART: 0}

        def end_offsets(self, partitions: object) -> dict[TopicPartition, int]:
            return {PART: 3_000}

        def offsets_for_times(self, times: object) -> dict[TopicPartition, Any]:
            return {PART: SimpleNamespace(offset=0)}

        def close(self) -> None:
            """It holds nothing."""

    log, client = Connected(), returning("ana", b"other")
    monkeypatch.setattr(history, "connect_consumer", lambda *_, **__: log)
    monkeypatch.setattr(history, "layout_of", lambda *_: Layout((PART,), b"epoch"))
    found = history.scan(
        Cluster(("127.0.0.1:1",)), ["t"], VIEWS, [client], oldest_ms=0, is_stopping=lambda: False
    )
    assert (found.returning, found.refused, log.offset) == ([], [(client, Resync.EPOCH)], 0)


def test_who_leaves_or_is_sent_away_meanwhile_is_left_out() -> None:
    left, ended = returning("bob"), returning("cem")

    def after_poll(offset: int) -> None:
        left.session.has_left = True
        if offset >= 2 * AT_ONCE:
            ended.session.end(Close.GOING_AWAY, 0)

    log = Log(after_poll=after_poll)
    found = found_for(left, ended)
    scan(log, found, 1_000_000)
    assert (found.returning, found.refused, log.offset) == ([], [], 2 * AT_ONCE)


def test_a_scan_ends_when_the_bridge_stops() -> None:
    log = Log()
    with pytest.raises(WorkersError, match="stops"):
        scan(log, found_for(returning("bob")), 1_000_000, lambda: log.offset >= AT_ONCE)
    assert log.offset == AT_ONCE


def test_the_historian_takes_no_more_clients_when_it_stops() -> None:
    taken: list[Returning] = []
    failed: list[list[Returning]] = []

    def take() -> list[Returning]:
        taken.append(returning("bob"))
        return taken[-1:]

    def run_scan(clients: list[Returning]) -> Found:
        scan(Log(), found_for(*clients), 1_000_000_000, lambda: historian.is_stopping)
        raise AssertionError("it goes on for ever")

    historian = Historian(run_scan, take=take, done=lambda _: None, failed=failed.append)
    historian.start()
    historian.wake()
    wait_for(lambda: taken)
    historian.stop()
    assert failed == [[one] for one in taken]
    assert len(taken) == 1


def test_clients_that_come_one_soon_after_the_other_are_served_by_one_scan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "_SETTLED_S", 0.5)
    waiting, scans = [returning("ana")], []

    def take() -> list[Returning]:
        taken, waiting[:] = list(waiting), []
        return taken

    def run_scan(clients: list[Returning]) -> Found:
        scans.append(len(clients))
        return found_for(*clients)

    historian = Historian(run_scan, take=take, done=lambda _: None, failed=lambda _: None)
    historian.start()
    for name in ("bob", "cem"):
        historian.wake()
        waiting.append(returning(name))
    wait_for(lambda: scans)
    historian.stop()
    assert scans == [3]
