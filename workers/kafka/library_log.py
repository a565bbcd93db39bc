"""Limits kafka-python's log to a few warnings of each kind a minute; a broker's absence brings hundreds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kafka.errors import Cancelled

#: How many records of one kind are logged in a row, and after how long the next ones are.
_BURST = 3
_WINDOW_S = 60.0
#: Parts of texts that mean nothing unless they come again: what failed is tried again at once, and a topic
#: that was just made has no leader in the first moment.
_PASSING = ("retrying (%s attempts left)", "No partition metadata for topic")
#: How long they must have come, and the longest pause between two of the same trouble.
_PASSING_S = 3.0
_PAUSE_S = 10.0


class Pace(logging.Filter):
    """Passes a few records of each kind in a minute; the next one says how many were left out.

    Some kinds are passed only once they have come for a while.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        #: By logger and text: when the minute began, and how many records it has had.
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}
        #: The same for those that may pass: when the trouble began, and when it last came.
        self._troubles: dict[tuple[str, str], tuple[float, float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and any(isinstance(value, Cancelled) for value in record.args):
            return False  # a request that ended as its connection was closed here
        now, kind = self._clock(), (record.name, str(record.msg)[:100])
        with self._lock:
            if any(text in str(record.msg) for text in _PASSING) and self._may_pass(kind, now):
                return False
            began, count = self._seen.get(kind, (now, 0))
            left_out = 0
            if now - began >= _WINDOW_S:
                began, count, left_out = now, 0, max(0, count - _BURST)
            self._seen[kind] = began, count + 1
        if left_out:
            record.msg = f"{record.msg} (and {left_out} more like it before)"
        return count < _BURST

    def _may_pass(self, kind: tuple[str, str], now: float) -> bool:
        began, last = self._troubles.get(kind, (now, now))
        if now - last > _PAUSE_S:
            began = now
        self._troubles[kind] = began, now
        return now - began < _PASSING_S


_pace = Pace()
_library = logging.getLogger("kafka")


def calm_library() -> None:
    """Leave the useless part of kafka-python's log out, unless the program has chosen a level for it.

    Below warnings it logs the content of each record, and with it names and addresses of people.
    """
    if _library.level == logging.NOTSET:
        _library.setLevel(logging.WARNING)
        _library.addFilter(_pace)
    if _pace in _library.filters:
        for name in list(logging.root.manager.loggerDict):
            if name.startswith("kafka."):  # a filter acts on one logger, not on those below it
                logging.getLogger(name).addFilter(_pace)


@contextmanager
def silent_library() -> Iterator[None]:
    """Leave all of kafka-python's log out inside the block, as an error of ours says what matters."""
    calm_library()
    if _pace not in _library.filters:
        yield
        return
    _library.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        _library.setLevel(logging.WARNING)
