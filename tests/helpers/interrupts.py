"""Ctrl-C as it leaves the last steps of a wait."""

from __future__ import annotations

import threading


def interrupted_wait() -> RuntimeError:
    """What `Event.wait` raises if Ctrl-C comes when its lock is not taken again yet."""
    lock = threading.Lock()
    try:
        try:
            raise KeyboardInterrupt
        finally:
            lock.release()
    except RuntimeError as exc:
        return exc
