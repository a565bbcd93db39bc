"""Does long work on the database in portions, so that nobody waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: Rows of a portion, and so of a transaction: on SQLite it keeps other writers out for some 10 ms.
PORTION = 500
#: It rests so many times as long as a portion took: others have the database for four fifths of the time.
_REST = 4


@dataclass
class Portions:
    """Some time for work in portions; what is left then is for another time."""

    length_s: float
    clock: Callable[[], float] = time.monotonic
    rest: Callable[[float], object] = time.sleep
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = self.clock() + self.length_s

    def do(self, portion: Callable[[], int]) -> int:
        """Call ``portion`` as long as it does something and there is time; returns how much it did in all."""
        total = 0
        while self.clock() < self._until:
            began = self.clock()
            done = portion()
            if not done:
                break
            total += done
            self.rest(_REST * (self.clock() - began))
        return total
