"""The line that says what the serving processes do."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping

#: How often a line is written where nobody can see one change: into a file or a journal.
_LINE_EVERY_S = 60.0


class Progress:
    """Prints: a line that changes on a terminal, one a minute elsewhere, or JSON each second."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._last: Mapping[str, object] = {}
        self._last_at = time.monotonic()
        self._line_at = 0.0

    def say(self, line: str) -> None:
        """Print a line that stays; with JSON, on standard error."""
        print(line, file=sys.stderr if self._as_json else sys.stdout, flush=True)

    def show(self, status: Mapping[str, object]) -> None:
        """Print what the processes do now."""
        now = time.monotonic()
        if self._as_json:
            print(json.dumps({"time": round(time.time(), 3), **status}), flush=True)  # noqa: T201
        elif sys.stdout.isatty():
            print(f"\r{self._words(status, now)}\x1b[K", end="", flush=True)  # noqa: T201
        elif now >= self._line_at:
            self._line_at = now + _LINE_EVERY_S
            print(self._words(status, now), flush=True)  # noqa: T201
        self._last, self._last_at = status, now

    def _words(self, status: Mapping[str, object], now: float) -> str:
        def rate(name: str) -> int:
            gained = _number(status, name) - _number(self._last, name) if self._last else 0
            return round(gained / max(now - self._last_at, 0.001))

        following = "" if status["following"] else ", NOT FOLLOWING THE LOG"
        return (
            f"clients {status['clients']:,}, events {rate('events'):,}/s, frames {rate('sent'):,}/s, "
            f"came back {status['resumed']:,}, loaded anew {status['resynced']:,}, "
            f"too slow {status['too_slow']:,}, skipped {status['skipped']:,}, "
            f"ring {_number(status, 'ring_bytes') / 2**20:.0f} MB{following}"
        )


def _number(status: Mapping[str, object], name: str) -> int:
    value = status[name]
    assert isinstance(value, int)
    return value
