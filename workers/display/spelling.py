"""Finds the known name that an unknown one was meant to be. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str], *, at_most: int = 1, cutoff: float = 0.6) -> list[str]:
    """The known names that are similar to ``name``, the most similar first; maybe none.

    It compares with each of them, which takes some 20 µs for a name of usual length.
    """
    return difflib.get_close_matches(name, list(known), n=at_most, cutoff=cutoff)


def did_you_mean(name: str, known: Iterable[str], *, quoted: bool = False, otherwise: str = "") -> str:
    """The end of a sentence about a ``name`` that is not known: the most similar one, else ``otherwise``."""
    found = near(name, known)
    if not found:
        return otherwise
    return f"; did you mean {found[0]!r}?" if quoted else f"; did you mean {found[0]}?"
