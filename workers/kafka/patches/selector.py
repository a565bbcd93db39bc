"""A write to a socket for each record that is sent, and warnings of a busy machine."""

from __future__ import annotations

from typing import Any

from kafka.net.selector import NetworkSelector


class CoalescingSelector(NetworkSelector):  # type: ignore[misc]
    """Wakes its thread once, however often it is asked to before that has run.

    kafka-python 3.0.12 writes to a socket each time: for almost every record of a producer, for example. A
    thread that sends many releases Python's lock with each, and gets it back some milliseconds later.

    It also warns of steps that took 0.1 s by the clock. On a busy machine that is the wait for a processor,
    or for Python's lock, and says nothing about the step.
    """

    DEFAULT_CONFIG = NetworkSelector.DEFAULT_CONFIG | {"slow_task_threshold_secs": 0}

    _woken = False

    def wakeup(self) -> None:
        if not self._woken:
            self._woken = True
            super().wakeup()

    def _process_events(self, event_list: Any) -> None:
        is_woken = any(key.fileobj is self._wakeup_r for key, _ in event_list)
        super()._process_events(event_list)
        if is_woken:
            # Only once the byte is read: otherwise the next byte could be read together with it, and be
            # missed. Work that is added in between is seen all the same, as the loop looks for work before it
            # waits again.
            self._woken = False
