"""The text of a cursor gives the cursor back, and any other text is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.live.cursor import MAX_CHARACTERS, Cursor, InvalidCursor, epoch_of, unpack

EPOCHS = st.binary(min_size=5, max_size=5)
OFFSETS = st.lists(st.integers(0, 2**62), max_size=64).map(tuple)


@given(EPOCHS, OFFSETS)
def test_a_cursor_comes_back_as_it_was(epoch: bytes, offsets: tuple[int, ...]) -> None:
    cursor = Cursor(epoch, offsets)
    assert unpack(cursor.pack()) == cursor


@given(st.text())
def test_any_other_text_is_refused_or_a_cursor_that_packs_to_something_equal(text: str) -> None:
    try:
        cursor = unpack(text)
    except InvalidCursor:
        return
    assert unpack(cursor.pack()) == cursor


def test_it_is_short() -> None:
    one_topic = Cursor(b"epoch", (100,) * 8)
    assert len(one_topic.pack()) == 18
    two_topics_after_a_million_events = Cursor(b"epoch", (1_000_000,) * 16)
    assert len(two_topics_after_a_million_events.pack()) == 71


@pytest.mark.parametrize("text", ["", "abc", "!" * 20, "A" * (MAX_CHARACTERS + 1), "____" * 20, "é"])
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        unpack(text)


def test_another_topic_and_other_partitions_are_another_epoch() -> None:
    first = epoch_of([("events", "id-1", 2), ("updates", "id-2", 2)])
    assert first == epoch_of([("events", "id-1", 2), ("updates", "id-2", 2)])
    assert first != epoch_of([("events", "id-3", 2), ("updates", "id-2", 2)])
    assert first != epoch_of([("events", "id-1", 3), ("updates", "id-2", 2)])
