"""Keys of dead letters: one for each id and generation, and back to the id."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.dead_letters.keys import id_of, key_of, older_keys

IDS = st.binary(max_size=20) | st.from_regex(rb"\A[a-z]{0,3}(~\d{0,7}){0,3}\Z")


@given(IDS, st.integers(0, 40), IDS, st.integers(0, 40))
def test_no_two_generations_of_any_ids_share_a_key(one: bytes, first: int, other: bytes, second: int) -> None:
    assert (key_of(one, first) == key_of(other, second)) == ((one, first) == (other, second))


@given(IDS, st.integers(0, 40))
def test_a_key_tells_its_id_and_the_generations_before(letter_id: bytes, generation: int) -> None:
    key = key_of(letter_id, generation)
    assert id_of(key) == letter_id
    assert list(older_keys(key)) == [key_of(letter_id, n) for n in range(generation - 1, -1, -1)]


def test_the_first_generation_of_an_ordinary_id_is_the_id() -> None:
    assert key_of(b"0a1b", 0) == b"0a1b"
    assert key_of(b"0a1b", 3) == b"0a1b~3"
