"""When a job comes again that came before its time. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta


def again_at(at: datetime, now: datetime) -> datetime:
    """When a job is to come again that was due at ``at`` and came at ``now``, before that.

    A host whose clock is ahead has moved it. It would move it early by as much again: a job that is due at
    ``at`` once more would come back at once, and so on until then. So it is due later by that much, and by a
    second more.
    """
    return at + (at - now) + timedelta(seconds=1)
