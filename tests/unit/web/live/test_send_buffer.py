"""The events that wait for a client: bounded, in order; only what a newer one replaces is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from web.live import protocol
from web.live.ring import Entry
from web.live.send_buffer import SendBuffer, Waiting


def event(number: int, replaces: str | None = None, size: int = 10) -> Waiting:
    body = json.dumps({"n": number, "x": "x" * size})
    return Waiting(
        protocol.events([body], f"c{number}"), f"c{number}", Entry(0, number, None, body, "", replaces)
    )


def drained(send_buffer: SendBuffer) -> Iterator[Waiting]:
    while (frame := send_buffer.take()) is not None:
        yield frame


def numbers(frames: Iterator[Waiting]) -> list[int]:
    return [one["n"] for frame in frames for one in json.loads(frame.text).get("e", ())]


def test_events_that_wait_are_joined_with_the_cursor_of_the_last() -> None:
    send_buffer = SendBuffer()
    for number in range(3):
        send_buffer.put(event(number))
    send_buffer.put(Waiting(protocol.ping("c9", stale_since=None)))
    send_buffer.put(event(3))
    frames = [json.loads(frame.text) for frame in drained(send_buffer)]
    assert [frame["type"] for frame in frames] == ["event", "ping", "event"]
    assert (frames[0]["c"], [one["n"] for one in frames[0]["e"]]) == ("c2", [0, 1, 2])


def test_if_too_much_waits_the_newest_event_of_a_kind_about_a_todo_stays() -> None:
    send_buffer = SendBuffer(max_frames=4)
    for number, key in enumerate(["a", "b", "a", None]):
        assert send_buffer.put(event(number, key))
    assert send_buffer.put(event(4, "a"))
    assert send_buffer.left_out == 2
    assert numbers(drained(send_buffer)) == [1, 3, 4]


def test_a_client_that_takes_nothing_is_too_slow_in_the_end() -> None:
    send_buffer = SendBuffer(max_frames=4)
    assert all(send_buffer.put(event(number)) for number in range(4))
    assert not send_buffer.put(event(4))


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 400)), max_size=50),
    st.integers(200, 3_000),
    st.integers(1, 20),
)
def test_it_is_bounded_and_loses_nothing_but_what_is_replaced(
    put: list[tuple[str | None, int]], max_bytes: int, max_frames: int
) -> None:
    send_buffer = SendBuffer(max_bytes=max_bytes, max_frames=max_frames)
    accepted: list[tuple[int, str | None]] = []
    for number, (key, size) in enumerate(put):
        accepted.append((number, key))
        if not send_buffer.put(event(number, key, size)):
            return  # the session ends, and goes on from its cursor
        assert send_buffer.bytes <= max_bytes
        assert len(send_buffer) <= max_frames
    found = numbers(drained(send_buffer))
    assert found == sorted(found)
    newest = {key: number for number, key in accepted if key is not None}
    missing = {number for number, _ in accepted} - set(found)
    assert len(missing) == send_buffer.left_out
    assert all(key is not None and newest[key] > number for number, key in accepted if number in missing)
    assert send_buffer.bytes == 0
