"""Who is sent what, and when: on whichever bridge a client comes back, it misses nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.live.cursor import Cursor
from web.live.hub import AHEAD_S, MAX_IN_SCAN, Hub
from web.live.protocol import PING_S, Close, Resync
from web.live.ring import Entry
from web.live.send_buffer import MAX_BYTES, MAX_FRAMES
from web.live.session import Session

EPOCH = b"epoch"
#: A log of two partitions: who may see each record; None: nobody.
Log = Sequence[tuple[int, str | None]]


class Bridge:
    """A hub that follows a log, in an order of its own."""

    def __init__(self, log: Log, *, ring_bytes: int = 1_000_000, start: tuple[int, int] = (0, 0)) -> None:
        self.hub = Hub(ring_bytes=ring_bytes)
        self.offsets = list(start)
        self._records: list[list[str | None]] = [[], []]
        for partition, user in log:
            self._records[partition].append(user)
        self.hub.begin(EPOCH, start)

    def read(self, partition: int) -> None:
        offset = self.offsets[partition]
        if offset == len(self._records[partition]):
            return
        user = self._records[partition][offset]
        self.offsets[partition] += 1
        cursor = Cursor(EPOCH, tuple(self.offsets)).pack()
        entries = [] if user is None else [entry(partition, offset, user, cursor)]
        self.hub.advance(entries, self.offsets)

    def read_all(self) -> None:
        for partition in (0, 1):
            for _ in self._records[partition]:
                self.read(partition)

    def scan(self) -> None:
        """Find in the log what clients missed, as the history does."""
        behind = self.hub.take_behind()
        for client in behind:
            for partition, records in enumerate(self._records):
                for offset in range(client.offsets[partition], len(records)):
                    if records[offset] == client.session.user:
                        client.add([entry(partition, offset, client.session.user, "")])
            client.offsets = tuple(map(len, self._records))
        self.hub.caught_up(behind, EPOCH)


def entry(partition: int, offset: int, user: str, cursor: str) -> Entry:
    body = json.dumps({"p": partition, "o": offset})
    return Entry(partition, offset, (user,), body, cursor)


class Client:
    """A client as docs/live.md has it."""

    def __init__(self, user: str = "ana") -> None:
        self.user = user
        self.cursor: str | None = None
        self.shown: list[tuple[int, int]] = []
        self.resyncs: list[str] = []
        self.welcomes: list[dict[str, Any]] = []
        self.pings: list[dict[str, Any]] = []
        self.session: Session | None = None
        self._seen = {0: -1, 1: -1}

    def join(self, hub: Hub, now: float = 0) -> None:
        self.session = Session(self.user, now=now, expires_at=now + 1_000, wake=lambda: None)
        hub.join(self.session, self.cursor, now)

    def leave(self, hub: Hub) -> None:
        if self.session is not None:
            hub.leave(self.session)
            self.session = None

    def take(self, frames: int = 10_000) -> None:
        """Take in so many frames; what waits behind them is lost with the connection."""
        assert self.session is not None
        for _ in range(frames):
            waiting = self.session.send_buffer.take()
            if waiting is None:
                return
            self._take(json.loads(waiting.text))

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "welcome":
            self.welcomes.append(frame)
            self.cursor = frame["cursor"] or self.cursor
        elif frame["type"] == "resync":
            self.resyncs.append(frame["why"])
            self.cursor = frame["cursor"]
            self._seen = {0: -1, 1: -1}
        elif frame["type"] == "event":
            for event in frame["e"]:
                if event["o"] > self._seen[event["p"]]:
                    self._seen[event["p"]] = event["o"]
                    self.shown.append((event["p"], event["o"]))
        elif frame["type"] == "ping":
            self.pings.append(frame)
        self.cursor = frame.get("c", self.cursor)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(0, 1), st.integers(0, 1)),
        st.tuples(st.just("join"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("take"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("cut"), st.just(0), st.just(0)),
        st.tuples(st.just("scan"), st.integers(0, 1), st.just(0)),
    ),
    max_size=60,
)
LOGS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["ana", "bob", None])), max_size=40)


@given(LOGS, STEPS, st.sampled_from([500, 2_000, 1_000_000]))
def test_a_client_that_moves_between_bridges_sees_each_of_its_events_once_and_in_order(
    log: Log, steps: list[tuple[str, int, int]], ring_bytes: int
) -> None:
    bridges = [Bridge(log, ring_bytes=ring_bytes), Bridge(log, ring_bytes=ring_bytes)]
    client = Client()
    client.join(bridges[0].hub)
    client.take()
    connected = 0
    for step, number, partition in steps:
        if step == "read":
            bridges[number].read(partition)
        elif step == "cut":
            client.leave(bridges[connected].hub)
        elif step == "join" and client.session is None:
            connected = number
            client.join(bridges[number].hub)
        elif step == "take" and client.session is not None:
            client.take(number)
        elif step == "scan":
            bridges[number].scan()
    client.leave(bridges[connected].hub)
    client.join(bridges[0].hub)
    bridges[0].read_all()
    bridges[0].scan()
    client.take()
    own = [
        (partition, offset)
        for partition in (0, 1)
        for offset, user in enumerate([u for p, u in log if p == partition])
        if user == "ana"
    ]
    assert sorted(client.shown) == own
    assert client.resyncs == []
    for partition in (0, 1):
        offsets = [o for p, o in client.shown if p == partition]
        assert offsets == sorted(offsets)


def behind_and_back(bridge: Bridge, cursor: str | None) -> Client:
    client = Client()
    client.cursor = cursor
    client.join(bridge.hub)
    client.take()
    return client


def test_a_first_visit_begins_now() -> None:
    bridge = Bridge([(0, "ana")] * 3)
    bridge.read(0)
    client = behind_and_back(bridge, None)
    assert (client.welcomes[0]["resumed"], client.welcomes[0]["cursor"]) == (False, bridge.hub.cursor)
    bridge.read_all()
    client.take()
    assert client.shown == [(0, 1), (0, 2)]


@pytest.mark.parametrize(
    ("cursor", "why"),
    [
        ("garbage!", Resync.CURSOR),
        ("", Resync.CURSOR),
        (Cursor(b"other", (0, 0)).pack(), Resync.EPOCH),
        (Cursor(EPOCH, (0, 0, 0)).pack(), Resync.EPOCH),
    ],
)
def test_a_cursor_that_says_nothing_means_to_load_anew(cursor: str, why: Resync) -> None:
    bridge = Bridge([(0, "ana")] * 3)
    bridge.read(0)
    client = behind_and_back(bridge, cursor)
    assert client.resyncs == [why]
    assert client.welcomes[0]["cursor"] is None
    bridge.read_all()
    client.take()
    assert client.shown == [(0, 1), (0, 2)]


def test_a_cursor_from_the_future_is_waited_for_and_then_means_to_load_anew() -> None:
    bridge = Bridge([(0, "ana")] * 3)
    client = behind_and_back(bridge, Cursor(EPOCH, (2, 0)).pack())
    assert client.welcomes == []
    bridge.hub.set_stale(1.0)
    bridge.hub.tick(AHEAD_S + 1)
    client.take()
    assert client.welcomes == []  # the log is not followed, so it is not known what there is
    bridge.hub.set_stale(None)
    bridge.hub.tick(2 * AHEAD_S)
    client.take()
    assert client.welcomes == []  # Kafka has just come back: what it has is still to be read
    bridge.hub.tick(2 * AHEAD_S + 1)
    client.take()
    assert client.resyncs == [Resync.FUTURE]
    follows = behind_and_back(bridge, Cursor(EPOCH, (2, 0)).pack())
    bridge.read_all()
    follows.take()
    assert (follows.shown, follows.resyncs) == ([(0, 2)], [])


def test_who_missed_too_much_loads_anew_and_gets_no_part() -> None:
    bridge = Bridge([(0, "ana")] * (MAX_FRAMES + 1))
    cursor = bridge.hub.cursor
    bridge.read_all()
    client = behind_and_back(bridge, cursor)
    assert (client.resyncs, client.shown) == ([Resync.TOO_MUCH], [])
    almost = behind_and_back(bridge, Cursor(EPOCH, (1, 0)).pack())
    assert (almost.resyncs, len(almost.shown)) == ([], MAX_FRAMES)


@pytest.mark.parametrize("size", [263, 300, 3_000])
def test_who_missed_as_much_as_may_wait_gets_all_of_it_or_loads_anew(size: int) -> None:
    for number in range(MAX_BYTES // size - 5, MAX_BYTES // size + 2):
        hub = Hub(ring_bytes=10_000_000)
        hub.begin(EPOCH, (0, 0))
        cursor = hub.cursor
        for offset in range(min(number, MAX_FRAMES)):
            body = json.dumps({"p": 0, "o": offset}).ljust(size)
            hub.advance([Entry(0, offset, ("ana",), body, "")], (offset + 1, 0))
        client = Client()
        client.cursor = cursor
        client.join(hub)
        assert client.session is not None
        assert client.session.ending is None, f"{number} events of {size} bytes"
        client.take()
        assert client.resyncs or len(client.shown) == min(number, MAX_FRAMES)


def test_a_log_that_was_cut_off_is_told_and_its_new_events_are_shown() -> None:
    bridge = Bridge([(0, "ana")] * 3)
    client = behind_and_back(bridge, None)
    bridge.read_all()
    bridge.hub.begin(EPOCH, (1, 0))
    bridge.hub.advance([entry(0, 1, "ana", bridge.hub.cursor)], (2, 0))
    client.take()
    assert client.resyncs == [Resync.EPOCH]
    assert client.shown == [(0, 0), (0, 1), (0, 2), (0, 1)]


def test_who_leaves_while_it_waits_is_forgotten() -> None:
    bridge = Bridge([(0, "ana")] * 3, start=(2, 0))
    gone = [behind_and_back(bridge, Cursor(EPOCH, (offset, 0)).pack()) for offset in (1, 3)]
    sessions = [client.session for client in gone]
    for client in gone:
        client.leave(bridge.hub)
    assert not bridge.hub.has_behind
    bridge.hub.begin(b"anew!", (0, 0))
    bridge.hub.tick(AHEAD_S + 1)
    bridge.hub.advance([entry(0, 0, "ana", bridge.hub.cursor)], (1, 0))
    assert (bridge.hub.counts.resynced, bridge.hub.counts.sent) == (0, 0)
    assert all(session is not None and len(session.send_buffer) == 0 for session in sessions)


def test_topics_made_anew_are_told_to_all_also_to_those_who_wait() -> None:
    bridge = Bridge([(0, "ana")] * 3, start=(3, 0))
    live = behind_and_back(bridge, None)
    waits = behind_and_back(bridge, Cursor(EPOCH, (1, 0)).pack())
    bridge.hub.begin(b"anew!", (0, 0))
    for client in (live, waits):
        client.take()
        assert client.resyncs == [Resync.EPOCH]
        assert client.cursor == bridge.hub.cursor
    bridge.hub.advance([entry(0, 0, "ana", bridge.hub.cursor)], (1, 0))
    waits.take()
    live.take()
    assert live.shown == waits.shown == [(0, 0)]


@pytest.mark.parametrize("scanned", [EPOCH, b"anew!"])
def test_topics_made_anew_while_a_scan_runs_are_told_whatever_topics_it_has_found(scanned: bytes) -> None:
    bridge = Bridge([(0, "ana")] * 3, start=(3, 0))
    client = behind_and_back(bridge, Cursor(EPOCH, (1, 0)).pack())
    taken = bridge.hub.take_behind()
    bridge.hub.begin(b"anew!", (2, 0))
    taken[0].offsets = (2, 0)
    bridge.hub.caught_up(taken, scanned)
    client.take()
    assert (client.resyncs, client.cursor) == ([Resync.EPOCH], bridge.hub.cursor)
    assert [welcome["resumed"] for welcome in client.welcomes] == [False]


def test_everyone_is_told_once_when_the_log_is_not_followed_any_more_and_when_it_is_again() -> None:
    bridge = Bridge([(0, "ana")] * 3)
    client = behind_and_back(bridge, None)
    waits = behind_and_back(bridge, Cursor(EPOCH, (1, 0)).pack())
    for since in (0.0, 0.0, None, None):
        bridge.hub.set_stale(since)
    client.take()
    told = [(ping["stale_since"], ping["c"]) for ping in client.pings]
    assert told == [("1970-01-01T00:00:00+00:00", bridge.hub.cursor), (None, bridge.hub.cursor)]
    bridge.hub.set_stale(0.0)
    waits.take()
    assert (waits.pings, waits.welcomes) == ([], [])
    bridge.read_all()  # what was read before is still handed over
    waits.take()
    assert [welcome["stale_since"] for welcome in waits.welcomes] == ["1970-01-01T00:00:00+00:00"]


def test_each_ping_says_since_when_the_log_is_not_followed_and_is_one_frame_for_all() -> None:
    bridge = Bridge([(0, "ana")] * 3)
    clients = [behind_and_back(bridge, None) for _ in range(2)]
    bridge.hub.set_stale(0.0)
    for client in clients:
        client.take()
    bridge.hub.tick(PING_S)
    first, second = [client.session.send_buffer.take() for client in clients if client.session is not None]
    assert first is second
    assert first is not None
    assert json.loads(first.text)["stale_since"] == "1970-01-01T00:00:00+00:00"


def test_a_scan_that_fails_sends_its_clients_away_to_come_back() -> None:
    bridge = Bridge([(0, "ana")] * 3, start=(3, 0))
    client = behind_and_back(bridge, Cursor(EPOCH, (1, 0)).pack())
    bridge.hub.failed(bridge.hub.take_behind())
    assert client.session is not None
    assert client.session.ending is not None
    assert client.session.ending.code is Close.NOT_READY


def test_a_scan_serves_a_bounded_number_of_clients_and_the_next_one_the_others() -> None:
    bridge = Bridge([(0, "ana")] * 3, start=(3, 0))
    clients = [behind_and_back(bridge, Cursor(EPOCH, (1, 0)).pack()) for _ in range(MAX_IN_SCAN + 1)]
    first, second = bridge.hub.take_behind(), bridge.hub.take_behind()
    assert not bridge.hub.has_behind
    assert [one.session for one in (*first, *second)] == [client.session for client in clients]
    assert (len(first), len(second)) == (MAX_IN_SCAN, 1)


def test_nobody_is_left_behind_when_all_have_gone() -> None:
    bridge = Bridge([(0, "ana")] * 3)
    clients = [behind_and_back(bridge, None) for _ in range(3)]
    assert (len(bridge.hub), bridge.hub.connections_of("ana")) == (3, 3)
    for client in clients:
        client.leave(bridge.hub)
        client.leave(bridge.hub)
    bridge.read_all()
    assert (len(bridge.hub), bridge.hub.connections_of("ana"), bridge.hub.counts.sent) == (0, 0, 0)
