"""Locks on files, which the operating system releases when their holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def open_to_lock(path: Path) -> int | None:
    """The descriptor of a file that exists; None if it cannot be opened, or is a link."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None


def try_lock(file: int, kind: int) -> bool:
    """Take a lock of `fcntl.LOCK_EX` or `LOCK_SH` without waiting; False if that is impossible now."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock for itself; others may ask at the same time."""
    opened = open_to_lock(path)
    if opened is None:
        return False
    try:
        return not try_lock(opened, fcntl.LOCK_SH)
    finally:
        os.close(opened)
