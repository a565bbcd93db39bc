from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.access import user_key
from web.live.sought import Sought


@given(
    st.text(min_size=1).filter(str.strip),
    st.sampled_from(["", "@example.com"]),
    st.text(),
    st.booleans(),
    st.booleans(),
)
def test_a_user_in_json_is_never_overlooked(
    name: str, host: str, other: str, is_ascii: bool, is_in_a_text: bool
) -> None:
    found: object = [other, f"{name}{host}", {other: other}]
    if is_in_a_text:
        found = {"data": json.dumps(found, ensure_ascii=is_ascii)}
    value = json.dumps(found, ensure_ascii=is_ascii).encode()
    assert Sought([user_key(f"{name}{host}"), "bob@example.com"]).may_be_in(value)


@pytest.mark.parametrize("users", [{"bob@example.com"}, {"bob@example.com", "bob"}])
def test_a_text_of_others_names_nobody(users: set[str]) -> None:
    value = json.dumps({"title": "write to bob@example.com!", "owner": {"email": "ana@example.com"}})
    assert not Sought(users).may_be_in(value.encode())


def test_line_breaks_and_quotation_marks_beside_an_address_hide_nothing() -> None:
    value = json.dumps({"description": 'Ask "Tom"\nabout it.', "owner": {"email": "ana@example.com"}})
    assert not Sought({"bob@example.com"}).may_be_in(value.encode())
