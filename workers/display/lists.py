"""Writes lists as people read them. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def few(names: Sequence[str], *, most: int = 3) -> str:
    """The first ``most`` of the names, and how many others there are."""
    shown = ", ".join(names[:most])
    left = len(names) - most
    return f"{shown} and {left} more" if left > 0 else shown
