"""A session in the course of time: pings, new tokens, its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from web.live import protocol
from web.live.protocol import MAX_FRAMES_PER_S, PING_S, REFRESH_BEFORE_S, Close
from web.live.send_buffer import MAX_FRAMES, Waiting
from web.live.session import Pace, Session

PING = Waiting(protocol.ping("c", stale_since=None), "c")


class Woken:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def session_of(*, expires_at: float = 10_000, answers: bool = True) -> Session:
    return Session("ana", now=0, expires_at=expires_at, wake=Woken(), answers=answers)


def sent(session: Session) -> list[dict[str, Any]]:
    frames = []
    while (frame := session.send_buffer.take()) is not None:
        frames.append(json.loads(frame.text))
    return frames


def tick_until(session: Session, end: int) -> None:
    for now in range(end + 1):
        if now >= session.due_at:
            session.tick(now, PING)


def test_a_client_that_answers_pings_stays() -> None:
    session = session_of()
    for now in range(200):
        if now >= session.due_at:
            session.tick(now, PING)
            session.heard()
    assert session.ending is None
    assert sent(session) == [json.loads(PING.text)] * int(199 // PING_S)


def test_a_client_that_does_not_answer_is_sent_away_and_one_that_cannot_stays() -> None:
    silent, stream = session_of(), session_of(answers=False)
    for session in (silent, stream):
        tick_until(session, 60)
    assert silent.ending is not None
    assert silent.ending.code is Close.SILENT
    assert stream.ending is None


def asked_for_tokens(session: Session, until: float, bring: Callable[[float], float]) -> list[float]:
    """Tick as the bridge does; each `refresh` brings a token that ends at ``bring(now)``. Returns when."""
    asked = []
    for turn in range(int(until * 4)):
        now = turn / 4
        if now >= session.due_at:
            session.tick(now, PING)
        for frame in sent(session):
            session.heard()
            if frame["type"] == "refresh":
                asked.append(now)
                session.renew(bring(now), now)
    return asked


def test_a_new_token_is_asked_for_and_without_it_the_session_ends() -> None:
    session = session_of(expires_at=20)
    tick_until(session, 9)
    assert sent(session) == []
    session.tick(10, PING)
    assert sent(session) == [{"type": "refresh", "within_s": 10}]
    session.renew(expires_at=10 + 3 * REFRESH_BEFORE_S, now=10)
    session.heard()
    assert session.due_at < 10 + 2 * REFRESH_BEFORE_S
    session.tick(10 + 2 * REFRESH_BEFORE_S, PING)
    assert sent(session) == [{"type": "refresh", "within_s": REFRESH_BEFORE_S}]
    session.tick(10 + 3 * REFRESH_BEFORE_S, PING)
    assert session.ending is not None
    assert session.ending.code is Close.TOKEN_ENDED
    assert json.loads(session.ending.bye)["again_after_ms"] == 0


def test_a_token_of_short_life_is_followed_by_one_request_at_half_of_it() -> None:
    session = session_of(expires_at=50)
    assert asked_for_tokens(session, 500, lambda now: now + 50) == [25.0 * turn for turn in range(1, 20)]


def test_a_client_that_brings_the_token_that_it_has_is_asked_some_times_and_then_it_ends() -> None:
    session = session_of(expires_at=300)
    asked = asked_for_tokens(session, 300, lambda _now: 300)
    assert asked == [240, 270, 285, 292.5, 296.25, 298.25, 299.25]
    session.tick(300, PING)
    assert session.ending is not None
    assert session.ending.code is Close.TOKEN_ENDED


def test_a_stream_cannot_bring_a_new_token_so_it_is_not_asked_for() -> None:
    session = session_of(expires_at=20, answers=False)
    tick_until(session, 19)
    assert sent(session) == []
    session.tick(20, PING)
    assert session.ending is not None


def test_a_client_that_reads_too_slowly_ends_and_nothing_is_sent_after_the_end() -> None:
    session = session_of()
    for _ in range(MAX_FRAMES + 1):
        session.send(Waiting("x"))
    assert session.ending is not None
    assert session.ending.code is Close.TOO_SLOW
    session.send(Waiting("x"))
    session.end(Close.GOING_AWAY, 1)
    assert session.ending.code is Close.TOO_SLOW
    assert sent(session) == []


def test_frames_are_allowed_at_once_and_then_at_their_rate() -> None:
    pace = Pace(0)
    assert all(pace.allows(0) for _ in range(MAX_FRAMES_PER_S))
    assert not pace.allows(0)
    slow = Pace(0)
    assert all(slow.allows(number / MAX_FRAMES_PER_S) for number in range(200))
