"""The frames of `todo.v1`: what is read, what is refused, and that the page has every code."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.pages import PAGES
from web.live import protocol
from web.live.protocol import Close, Hello, NewToken, Pong, Resync, WrongFrame, parse


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('{"type":"hello","token":"t"}', Hello("t")),
        ('{"type":"hello","token":"t","cursor":null,"more":1}', Hello("t")),
        ('{"type":"hello","token":"t","cursor":"c","client":"x/1"}', Hello("t", "c", "x/1")),
        ('{"type":"token","token":"t"}', NewToken("t")),
        ('{"type":"pong"}', Pong()),
    ],
)
def test_frames_of_the_protocol_are_read(text: str, frame: object) -> None:
    assert parse(text) == frame


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"type":"pong"}', "binary"),
        (None, "binary"),
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("7", "no JSON object"),
        ("{}", "no frame of type None"),
        ('{"type":"subscribe","topic":"x"}', "no frame of type 'subscribe'"),
        ('{"type":"hello"}', "needs the text 'token'"),
        ('{"type":"hello","token":7}', "needs the text 'token'"),
        ('{"type":"hello","token":"t","cursor":7}', "needs the text 'cursor'"),
        ('{"type":["hello"]}', "no frame of type"),
    ],
)
def test_other_frames_are_refused_with_the_reason(text: str | bytes | None, said: str) -> None:
    with pytest.raises(WrongFrame, match=said):
        parse(text)


@given(st.text() | st.binary() | st.none())
def test_garbage_is_refused_and_nothing_else_happens(text: str | bytes | None) -> None:
    with pytest.raises(WrongFrame):
        parse(text)


def test_an_event_frame_is_json_with_the_bodies_as_they_are() -> None:
    frame = json.loads(protocol.events(['{"title":"\u00fc\\""}', '{"n":2}'], "c1"))
    assert frame == {"type": "event", "c": "c1", "e": [{"title": 'ü"'}, {"n": 2}]}
    assert "c" not in json.loads(protocol.events(["{}"], None))


def test_the_page_has_every_code_and_every_reason() -> None:
    page = PAGES["docs/live.md"]
    assert [code for code in Close if f"| {code.value} |" not in page] == []
    assert [why for why in Resync if f"`{why.value}`" not in page] == []


def test_codes_say_whether_a_client_comes_back() -> None:
    back = {code for code in Close if protocol.comes_back(code)}
    assert back == {code for code in Close if code < 4500}
