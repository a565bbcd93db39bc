"""Replies are the same however the network cuts them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.smtp.replies import MAX_REPLY_BYTES, Ended, Reply, ReplyReader

TEXTS = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)
REPLIES = st.lists(st.tuples(st.integers(200, 599), st.lists(TEXTS, min_size=1, max_size=4)), max_size=6)


def on_the_wire(code: int, lines: list[str], end: str) -> bytes:
    *more, last = lines
    return "".join([*(f"{code}-{line}{end}" for line in more), f"{code} {last}{end}"]).encode()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


@given(REPLIES, st.lists(st.integers(0, 10_000), max_size=8), st.sampled_from(["\r\n", "\n"]))
def test_replies_are_the_same_wherever_packets_end(
    replies: list[tuple[int, list[str]]], places: list[int], end: str
) -> None:
    reader = ReplyReader()
    data = b"".join(on_the_wire(code, lines, end) for code, lines in replies)
    read = [reply for packet in cut(data, places) for reply in reader.read(packet)]
    assert read == [
        Reply(code, "\n".join(line.encode().strip().decode() for line in lines)) for code, lines in replies
    ]


def test_a_reply_may_be_a_bare_code_or_in_no_encoding_at_all() -> None:
    assert list(ReplyReader().read(b"250\r\n550 Empf\xe4nger\r\n")) == [
        Reply(250, ""),
        Reply(550, "Empf\udce4nger"),
    ]


@pytest.mark.parametrize("line", [b"", b"hello", b"25", b"2500 x", b"150 x", b"650 x", b"250_x", b"25\xb2 x"])
def test_what_is_no_reply_ends_it_after_the_replies_before(line: bytes) -> None:
    replies = ReplyReader().read(b"250 OK\r\n" + line + b"\r\n250 OK\r\n")
    assert next(replies) == Reply(250, "OK")
    with pytest.raises(Ended, match="no SMTP reply"):
        next(replies)


@pytest.mark.parametrize("unit", [b"x" * 100, b"250-and more\r\n"])
def test_a_reply_without_end_fills_no_memory(unit: bytes) -> None:
    reader = ReplyReader()
    list(reader.read(b"250-"))
    for _ in range(MAX_REPLY_BYTES // len(unit) - 1):
        list(reader.read(unit))
    with pytest.raises(Ended, match=f"more than {MAX_REPLY_BYTES} bytes"):
        list(reader.read(unit * 400))


def test_long_replies_are_read_as_they_do_not_add_up() -> None:
    reader, reply = ReplyReader(), b"250-" + b"x" * (MAX_REPLY_BYTES // 2) + b"\r\n250 end\r\n"
    assert len(list(reader.read(reply * 5))) == 5
