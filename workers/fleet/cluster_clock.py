"""The time by the clock of the cluster, as the times of its records tell it.

The clock of an operator's machine may be wrong by more than a process may be silent.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class ClusterClock:
    """Goes on from the newest record that was read. One thread notes, any may ask.

    It is never earlier than that record, and the time since. Until one has come that was written meanwhile
    (:attr:`is_heard`) it is not earlier than the own clock either: the newest record may be an old one.
    """

    def __init__(
        self, own: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._own = own
        self._monotonic = monotonic
        #: How far the time of the cluster is ahead of the monotonic clock, at least.
        self._ahead_ms: float | None = None
        self.is_heard = False

    def note(self, timestamp_ms: int, *, is_new: bool) -> None:
        """Note the time of a record that was just read; ``is_new`` if it was written just now too."""
        if timestamp_ms < 1:
            return  # none: the record cannot be read, or nobody wrote its time
        ahead_ms = timestamp_ms - self._monotonic() * 1000
        self._ahead_ms = ahead_ms if self._ahead_ms is None else max(self._ahead_ms, ahead_ms)
        self.is_heard = self.is_heard or is_new

    def now_ms(self) -> float:
        """The time, in ms since 1970."""
        own_ms = self._own() * 1000
        if self._ahead_ms is None:
            return own_ms
        told_ms = self._ahead_ms + self._monotonic() * 1000
        return told_ms if self.is_heard else max(own_ms, told_ms)
