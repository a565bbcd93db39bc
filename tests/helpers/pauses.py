"""Measures the pauses of an event loop, without those that are the machine's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

#: A pause that a user of another route would notice.
PAUSE_S = 0.05


class Stopwatch:
    """Measures how long something takes, less what threads of these processes waited for a processor.

    A thread that waits so may hold Python's lock; that is the machine's pause.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self.took_s = 0.0

    def __enter__(self) -> Self:
        self._before = self._waits_ns()
        self._started = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        took_s = time.monotonic() - self._started
        waits_ns = self._waits_ns().items()
        waited_ns = sum(ns - self._before[thread] for thread, ns in waits_ns if thread in self._before)
        self.took_s = max(0.0, took_s - waited_ns / 1e9)

    def _waits_ns(self) -> dict[str, int]:
        """For each thread how long it was ready to run, while others had the processors."""
        found = {}
        for pid in self._pids:
            for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):  # Linux only
                with suppress(OSError):  # it has ended
                    found[thread.parent.name] = int(thread.read_text().split()[1])
        return found


def require_no_pause(pauses_s: Sequence[float]) -> None:
    """One pause is the machine's; code that blocks the loop does so at each request."""
    long = [pause for pause in pauses_s if pause > PAUSE_S]
    assert len(long) <= len(pauses_s) / 100, sorted(long)[-10:]
    assert max(pauses_s) < 1
