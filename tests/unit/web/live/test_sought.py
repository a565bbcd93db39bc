from __future__ import annotations

import json

import pytest
from hypothesis import example, given
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


@example("\u0100\u0140", "", False, False, "utf-16-le")  # the second has the @ as one of its halves
@example("\u4001", "", False, False, "utf-16-be")
@given(
    st.text(min_size=1).filter(str.strip),
    st.text(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]),
)
def test_the_place_of_a_user_among_records_is_never_overlooked(
    name: str, other: str, is_ascii: bool, is_in_a_text: bool, encoding: str
) -> None:
    found: object = [other, f"{name}@example.com", {other: other}]
    if is_in_a_text:
        found = {"data": json.dumps(found, ensure_ascii=is_ascii)}
    value = json.dumps(found, ensure_ascii=is_ascii).encode(encoding, "surrogatepass")
    before, after = b"\x90\x01\0\0\0\x22key@k", b"\0\x22@" + ADDRESS_OF_ANA
    places = Sought([user_key(f"{name}@example.com")]).places_in(before + value + after)
    if places is not None:
        assert list(places) == sorted(places)
        assert any(len(before) <= place < len(before) + len(value) for place in places)


ADDRESS_OF_ANA = json.dumps({"title": "write!", "owner": {"email": "ana@example.com"}}).encode()


def test_records_of_others_have_no_place() -> None:
    text = json.dumps({"title": 'Grüße an "bob@example.com"\n', "email": "Ana@example.com "}).encode()
    assert Sought({"bob@example.com"}).places_in(b"bob@example.com" + text) == [text.find(b"@") + 15]
    assert Sought({"eve@example.com"}).places_in(b"\0\0" + ADDRESS_OF_ANA + b"\0\x08" + ADDRESS_OF_ANA) == []


def test_base64_and_names_that_are_no_addresses_may_be_anywhere() -> None:
    assert Sought({"bob@example.com"}).places_in(b'{"data_base64": "e30="}') is None
    assert Sought({"bob@example.com", "bob"}).places_in(ADDRESS_OF_ANA) is None
