"""What KEDA and the Horizontal Pod Autoscaler do with a figure: how many pods there should be."""

from __future__ import annotations

import math
from collections.abc import Callable


class Autoscaler:
    """Asks for the figure again and again, and wants a pod for each ``target`` of it.

    More are wanted at once, fewer only when no figure within the last ``window_s`` asked for more. Its time
    passes from one question to the next.
    """

    def __init__(
        self, ask: Callable[[], int], *, target: int, most: int, every_s: float, window_s: float
    ) -> None:
        self._ask = ask
        self._target = target
        self._most = most
        self._every_s = every_s
        self._window_s = window_s
        self._now = 0.0
        self._asked: list[tuple[float, int]] = []

    def poll(self, after_s: float | None = None) -> int:
        """How many pods there should be, asked at the usual time or so much later; at least one."""
        self._now += self._every_s if after_s is None else after_s
        wanted = min(max(math.ceil(self._ask() / self._target), 1), self._most)
        self._asked = [(at, pods) for at, pods in self._asked if self._now - at < self._window_s]
        self._asked.append((self._now, wanted))
        return max(pods for _, pods in self._asked)
