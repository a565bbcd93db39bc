"""The line that says what a long-running command does."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping

#: How often a line is written where nobody can see one change: into a file or a journal.
_LINE_EVERY_S = 60.0

Status = Mapping[str, object]
#: Per second, how much a count of the status has grown by, given its name.
Rate = Callable[[str], int]


class ProgressLine:
    """Prints: a line that changes on a terminal, one a minute elsewhere, or JSON each time."""

    def __init__(self, words: Callable[[Status, Rate], str], *, as_json: bool) -> None:
        """``words`` makes a line of a status."""
        self._words = words
        self._as_json = as_json
        self._last: Status = {}
        self._last_at = time.monotonic()
        self._line_at = 0.0

    def say(self, line: str) -> None:
        """Print a line that stays; with JSON, on standard error."""
        print(line, file=sys.stderr if self._as_json else sys.stdout, flush=True)

    def show(self, status: Status) -> None:
        """Print what is done now. ``status`` has JSON values."""
        now = time.monotonic()
        if self._as_json:
            print(json.dumps({"time": round(time.time(), 3), **status}), flush=True)
        elif sys.stdout.isatty():
            print(f"\r{self._line(status, now)}\x1b[K", end="", flush=True)
        elif now >= self._line_at:
            self._line_at = now + _LINE_EVERY_S
            print(self._line(status, now), flush=True)
        self._last, self._last_at = status, now

    def _line(self, status: Status, now: float) -> str:
        def rate(name: str) -> int:
            gained = number(status, name) - number(self._last, name) if self._last else 0
            return round(gained / max(now - self._last_at, 0.001))

        return self._words(status, rate)


def number(status: Status, name: str) -> int:
    """A count of a status."""
    value = status[name]
    assert isinstance(value, int)
    return value
