"""Tells whom a command waits for."""

from __future__ import annotations

from ..display.times import timestamp
from ..operations.told_runs import ToldRun
from .terminal import complain


def tell_of(other: ToldRun) -> None:
    """Say which action must end before this one begins."""
    began = timestamp(other.began_ms)
    complain(
        f"waiting for a {other.verb} of {other.total} that {other.who} began at {began}, so that no job runs "
        "twice; if its process was killed, for two and a half minutes at most"
    )
