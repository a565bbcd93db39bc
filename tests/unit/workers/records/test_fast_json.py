"""The quick codec writes dramatiq's bytes and reads dramatiq's messages, or leaves them to dramatiq."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
from dramatiq import DecodeError, JSONEncoder, PickleEncoder
from hypothesis import given
from hypothesis import strategies as st

from workers.records import fast_json as message_json

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
messages: st.SearchStrategy[dramatiq.Message[Any]] = st.builds(
    dramatiq.Message,
    queue_name=st.text(),
    actor_name=st.text(),
    args=st.lists(values, max_size=3).map(tuple),
    kwargs=st.dictionaries(st.text(max_size=5), values, max_size=3),
    options=st.just({}) | st.dictionaries(st.text(max_size=5), values, max_size=2),
    message_id=st.text(),
    message_timestamp=st.integers() | st.floats(),
)

SOUND = dramatiq.Message("default", "deliver", ("Ana", 1), {"n": 2.5}, {}, "id-1", 1_700_000_000_000).encode()
damaged = st.builds(lambda at, to: SOUND[:at] + to + SOUND[at + 1 :], st.integers(0, 200), st.binary())


@pytest.fixture
def pickles() -> Iterator[None]:
    dramatiq.set_encoder(PickleEncoder())
    yield
    dramatiq.set_encoder(JSONEncoder())


@given(messages)
def test_writes_the_bytes_of_dramatiqs_encoder(message: dramatiq.Message[Any]) -> None:
    assert message_json.write(message) == message.encode()


def test_arguments_that_dramatiq_cannot_write_are_the_same_error() -> None:
    message: dramatiq.Message[Any] = dramatiq.Message("default", "deliver", ({1, 2},), {}, {})
    with pytest.raises(TypeError) as theirs:
        message.encode()
    with pytest.raises(TypeError) as ours:
        message_json.write(message)
    assert str(ours.value) == str(theirs.value)


@given(messages)
def test_reads_what_dramatiq_reads(message: dramatiq.Message[Any]) -> None:
    written = message.encode()
    read = message_json.read(written)
    if read is None:
        assert message.options or not message.message_id
    else:
        # By repr: a NaN equals nothing, and 1 and 1.0 are not the same argument.
        assert repr(read) == repr(dramatiq.Message.decode(written))
        assert type(read) is dramatiq.Message
        assert read.copy().asdict().keys() == read.asdict().keys()


@given(st.binary() | damaged)
def test_reads_nothing_that_dramatiq_does_not(value: bytes) -> None:
    read = message_json.read(value)
    if read is not None:
        assert repr(read) == repr(dramatiq.Message.decode(value))


@pytest.mark.parametrize(
    "change",
    [
        {"args": {"a": 1}},
        {"args": "Ana"},
        {"kwargs": []},
        {"options": {"eta": 1}},
        {"options": None},
        {"message_id": ""},
        {"message_id": 7},
        {"message_timestamp": True},
        {"message_timestamp": None},
        {"queue_name": 1},
        {"another": 1},
    ],
)
def test_leaves_to_dramatiq_what_is_not_sound(change: dict[str, Any]) -> None:
    assert message_json.read(json.dumps({**json.loads(SOUND), **change}).encode()) is None


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[]", b"\xff", b" " + SOUND, SOUND + b" ", b"[" * 100_000, SOUND[:-1]]
)
def test_leaves_to_dramatiq_what_is_written_otherwise(value: bytes) -> None:
    assert message_json.read(value) is None


def test_leaves_all_to_another_encoder(pickles: None) -> None:
    message: dramatiq.Message[Any] = dramatiq.Message("default", "deliver", ({1, 2},), {}, {})
    assert message_json.write(message) == message.encode()
    assert message_json.read(SOUND) is None
    with pytest.raises(DecodeError):
        dramatiq.Message.decode(SOUND)
