"""Says that a queue is not declared, and which one may be meant."""

from __future__ import annotations

from collections.abc import Collection

from ..display.spelling import did_you_mean
from ..errors import UnknownQueue


def unknown_queue(name: str, declared: Collection[str]) -> UnknownQueue:
    """Make the error for a queue that is none of those that are declared."""
    all_of_them = f"; declared are: {', '.join(sorted(declared)) or 'none'}"
    hint = did_you_mean(name, declared, quoted=True, otherwise=all_of_them)
    return UnknownQueue(f"queue {name!r} is not declared{hint}")
