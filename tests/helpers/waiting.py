"""Helpers that any test may use."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], timeout_s: float = 60.0) -> T:
    """Poll until ``condition`` is true and return what it returned; fails after ``timeout_s``.

    A condition that takes long, such as to read a topic, runs for half of that time at most.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        asked_at = time.monotonic()
        if value := condition():
            return value
        now = time.monotonic()
        if now > deadline:
            raise AssertionError(f"not true after {timeout_s} s: {condition}")
        time.sleep(max(0.01, min(now - asked_at, 0.5)))
