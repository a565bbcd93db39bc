"""Knows Ctrl-C again where it leaves a wait as another exception."""

from __future__ import annotations

#: The exit status of a command that was interrupted: 128 and the number of SIGINT, as shells have it.
INTERRUPTED = 130


def was_interrupted(error: BaseException | None) -> bool:
    """Whether an exception is Ctrl-C: a KeyboardInterrupt, or the RuntimeError that a wait made of one.

    For a command's main thread, where one ends a wait.
    """
    # In CPython 3.11 to 3.13, a KeyboardInterrupt in the last steps of `Condition.wait` (so of `Event.wait`,
    # `Future.result` and `Thread.start`) comes when the lock is not taken again yet. The `with` around the
    # wait then releases it all the same: "release unlocked lock", or "cannot release un-acquired lock". The
    # KeyboardInterrupt is the context of that RuntimeError.
    if isinstance(error, KeyboardInterrupt):
        return True
    return isinstance(error, RuntimeError) and was_interrupted(error.__context__)
