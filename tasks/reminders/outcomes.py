"""TODO."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Of a reminder: it waits for its alarm; no alarm is left; it was called off."""

    WAITING = "waiting"
    DONE = "done"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """What came of an alarm: told in time, told late, or not told because it was too late."""

    SENT = "sent"
    LATE = "late"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Policy:
    """What is done about an alarm that comes more than ``grace`` late: skip it, or tell late that it is."""

    skips: bool
    grace_s: float

    def outcome(self, at: datetime, now: datetime) -> Outcome:
        if (now - at).total_seconds() <= self.grace_s:
            return Outcome.SENT
        return Outcome.SKIPPED if self.skips else Outcome.LATE
