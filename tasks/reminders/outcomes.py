"""The states of a reminder, its alarm, the outcomes of its alarms, and the policy for late ones. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReminderState(StrEnum):
    """A reminder waits for its alarm, has no alarm left, or was called off."""

    WAITING = "waiting"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class AlarmToSet:
    """An alarm to set: at ``at`` it fires the reminder, if the reminder still has this ``version``."""

    reminder_id: str
    version: int
    at: datetime


class FiringOutcome(StrEnum):
    """An alarm's mail went out in time, went out late, or was left out because it was too late."""

    SENT = "sent"
    LATE = "late"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class LatePolicy:
    """Decides about an alarm that comes more than ``grace_s`` late: skip it, or mail that it is late."""

    skips: bool
    grace_s: float

    def outcome(self, at: datetime, now: datetime) -> FiringOutcome:
        """Decide about an alarm that was set for ``at`` and is handled at ``now``."""
        if (now - at).total_seconds() <= self.grace_s:
            return FiringOutcome.SENT
        return FiringOutcome.SKIPPED if self.skips else FiringOutcome.LATE
