"""Data of a record is the JSON value that Python's own reader finds, whichever reader is asked first."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.events.cloud_event_modes import attributes_and_data
from workers.errors import Undecodable
from workers.records.sources import Incoming

HEADERS = [("ce_id", b"1"), ("content-type", b"application/json")]

#: Half a surrogate pair is no character; what is stored in its place, other tests say.
CHARACTERS = st.characters(exclude_categories=["Cs"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARACTERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARACTERS), inner, max_size=3),
    max_leaves=8,
)


def data_of(value: bytes) -> Any:
    return attributes_and_data(Incoming(None, value, HEADERS, 0))[1]


@settings(max_examples=30)
@given(value=VALUES, ascii_only=st.booleans())
@example(value=10**400, ascii_only=True)
@example(value={"": "\0\x7f\ufeff\U0001f600"}, ascii_only=False)
def test_what_python_has_written_is_read_as_it_was(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    # As text, since no NaN equals itself, and -0.0 equals 0.0.
    assert repr(data_of(text.encode())) == repr(json.loads(text))


@given(st.text(alphabet='[]{}",:0123456789.eE+-truefalsnNIi \t\\/', min_size=1, max_size=12))
@example('{"a":1,"a":2}')
@example("1e999")
@example("[1,]")
@example("01")
@example("-Infinity")
@example("1" * 5_000)
@example("[" * 300 + "]" * 300)
def test_any_text_is_read_or_refused_as_python_does(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(Undecodable, match="is not JSON"):
            data_of(text.encode())
    else:
        assert repr(data_of(text.encode())) == repr(expected)
