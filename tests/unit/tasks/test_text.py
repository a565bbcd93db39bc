"""Text from users in one line: the short way for plain texts gives what the long one does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tasks.text import _REMOVED, one_line

#: Any characters, and many of those that matter.
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from(" \t\n\x00\x1f\x85\xa0\u2028\u202e\u2066\u3000")))


@given(TEXTS)
def test_a_line_has_single_spaces_and_nothing_that_is_removed(text: str) -> None:
    assert one_line(text, len(text) + 1) == " ".join(text.translate(_REMOVED).split())
