"""Turns: connections that have something to send write one after the other, some in each round of the loop.

What they write goes out at the end of a round. So the first clients read while frames are written to the
others, and nobody waits until all have been served.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

#: How many have their turn in one round.
_AT_ONCE = 200


class Turns:
    """Those who wait for their turn, in the order in which they came. For one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_scheduled = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, send: Callable[[], None]) -> None:
        """Have ``send`` called soon."""
        self._waiting.append(send)
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        self._is_scheduled = False
        try:
            for _ in range(min(_AT_ONCE, len(self._waiting))):
                self._waiting.popleft()()
        finally:  # one that raises must not end the turns of all
            self._schedule()
