"""The signals that end a command: heard at any moment, and waited for on the main thread."""

from __future__ import annotations

import signal
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Whether SIGINT or SIGTERM has come. For the main thread, which runs the handlers of signals.

    No `threading.Event`: its lock is taken for some moments of each wait, and a handler that sets it in one
    of them waits for the thread that it runs on, for ever. `SimpleQueue.put` may be called at any moment.
    """

    def __init__(self) -> None:
        self._came = False
        self._wakes: SimpleQueue[None] = SimpleQueue()

    def listen(self) -> None:
        """Handle the signals from now on, also where a shell had them ignored, as for a background job."""
        for number in _SIGNALS:
            signal.signal(number, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True
        self._wakes.put(None)

    @property
    def came(self) -> bool:
        """Whether one has come."""
        return self._came

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until one comes, ``timeout_s`` at most; returns whether one has."""
        if not self._came:
            with suppress(Empty):
                self._wakes.get(timeout=timeout_s)
        return self._came
