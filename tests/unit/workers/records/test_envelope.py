"""Messages as records and back."""

from __future__ import annotations

import json
from typing import Any

import dramatiq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.errors import Undecodable, WorkersError
from workers.records import envelope

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def message(**changes: Any) -> dramatiq.Message[Any]:
    fields: dict[str, Any] = {
        "queue_name": "default",
        "actor_name": "greet",
        "args": (1,),
        "kwargs": {},
        "options": {},
        "message_id": "m-1",
        "message_timestamp": 1_700_000_000_000,
    }
    return dramatiq.Message(**fields | changes)


def test_the_value_is_what_dramatiqs_encoder_writes() -> None:
    assert envelope.encode(message()).value == message().encode()


def test_the_key_is_the_option_else_the_message_id() -> None:
    assert envelope.encode(message()).key == b"m-1"
    assert envelope.encode(message(options={"key": "user:42"})).key == b"user:42"


def test_headers_name_what_an_operator_looks_for() -> None:
    assert envelope.encode(message()).headers == [
        ("schema", b"1"),
        ("message-id", b"m-1"),
        ("actor", b"greet"),
        ("queue", b"default"),
    ]


@given(args=st.lists(json_values, max_size=3), kwargs=st.dictionaries(st.text(), json_values, max_size=3))
def test_a_message_received_equals_the_message_sent(args: list[Any], kwargs: dict[str, Any]) -> None:
    sent = message(args=tuple(args), kwargs=kwargs, options={"key": "k", "max_retries": 3})
    assert envelope.decode(envelope.encode(sent).value, "default") == sent


def test_the_queue_is_forced_to_the_consumed_one() -> None:
    assert envelope.decode(message(queue_name="elsewhere").encode(), "default").queue_name == "default"


def mangled(**changes: Any) -> bytes:
    return json.dumps(message().asdict() | changes).encode()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "no value"),
        (b"", "JSONDecodeError"),
        (b"\xff\xfe", "UnicodeDecodeError"),
        (b"[1]", "not a dramatiq message"),
        (b"{}", "args"),
        (mangled(queue_name=None), "queue_name is of type NoneType"),
        (mangled(actor_name=[1]), "actor_name is of type list"),
        (mangled(kwargs=[]), "kwargs is of type list"),
        (mangled(options=None), "options is of type NoneType"),
        (mangled(message_id=7), "message_id is of type int"),
        (mangled(message_id=""), "message_id is empty"),
        (mangled(message_timestamp="now"), "message_timestamp is of type str"),
        (mangled(surprise=1), "surprise"),
        (mangled(options={"eta": 9e300}), "options has eta"),
        (mangled(options={"throws": "anything"}), "options has throws"),
        (b"[" * 100_000, "RecursionError"),
    ],
)
def test_what_is_no_message_is_refused_with_words(value: bytes | None, words: str) -> None:
    with pytest.raises(Undecodable, match=words) as raised:
        envelope.decode(value, "default")
    assert isinstance(raised.value, dramatiq.DecodeError)
    assert isinstance(raised.value, WorkersError)
    assert raised.value.data == (value or b"")


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(value: bytes) -> None:
    with pytest.raises(Undecodable):
        envelope.decode(value, "default")
