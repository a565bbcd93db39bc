"""A write to a socket for each record that is sent, an exception for each wait, and a Ctrl-C that is lost."""

from __future__ import annotations

import _thread
import selectors
import threading
from queue import SimpleQueue
from typing import Any

from kafka.net.selector import NetworkSelector, Task


class CoalescingSelector(NetworkSelector):  # type: ignore[misc]
    """Wakes its thread once, however often it is asked to before that has run.

    kafka-python 3.0.12 writes to a socket each time: for almost every record of a producer, for example. A
    thread that sends many releases Python's lock with each, and gets it back some milliseconds later.

    Before each wait for a socket it asks whether something waits for that already. If not, as nearly always,
    the answer is an exception with the socket's addresses in its text, which takes two system calls.

    It also warns of steps that took 0.1 s by the clock. On a busy machine that is the wait for a processor,
    or for Python's lock, and says nothing about the step.

    And it takes its last steps on the thread that closes it. If that is the main thread, Ctrl-C can come in
    one, and is logged there as an error of the step: whoever polls until Ctrl-C goes on.
    """

    DEFAULT_CONFIG = NetworkSelector.DEFAULT_CONFIG | {"slow_task_threshold_secs": 0}

    _woken = False

    def wakeup(self) -> None:
        if not self._woken:
            self._woken = True
            super().wakeup()

    def register_event(self, fileobj: Any, event: int, task: Any) -> None:
        task = task if isinstance(task, Task) else Task(task)
        try:
            self._selector.register(
                fileobj, event, (task, None) if event == selectors.EVENT_READ else (None, task)
            )
        except KeyError:  # something waits for it already
            super().register_event(fileobj, event, task)

    def close(self) -> None:
        """Close it; the main thread, which alone is interrupted, has another one do it, and waits."""
        if self._closed or threading.current_thread() is not threading.main_thread():
            super().close()
            return
        # No future, and no `Thread`, whose start waits: both have a condition, and Ctrl-C in the last steps
        # of one raises RuntimeError instead.
        closed: SimpleQueue[BaseException | None] = SimpleQueue()
        try:
            _thread.start_new_thread(self._close, (closed,))
        except RuntimeError:  # the interpreter ends, and starts no thread any more
            super().close()
        else:
            error = closed.get()
            if error is not None:
                raise error

    def _close(self, closed: SimpleQueue[BaseException | None]) -> None:
        try:
            super().close()
        except BaseException as exc:  # noqa: BLE001 - the thread that waits gets it
            closed.put(exc)
        else:
            closed.put(None)

    def _process_events(self, event_list: Any) -> None:
        is_woken = any(key.fileobj is self._wakeup_r for key, _ in event_list)
        super()._process_events(event_list)
        if is_woken:
            # Only once the byte is read: otherwise the next byte could be read together with it, and be
            # missed. Work that is added in between is seen all the same, as the loop looks for work before it
            # waits again.
            self._woken = False
