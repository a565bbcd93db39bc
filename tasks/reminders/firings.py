"""TODO."""

from __future__ import annotations

from datetime import UTC
from uuid import UUID, uuid5

from ..events.todos import Owner, Todo
from ..notifications.notice import Notice
from ..schedules.alarms import Alarm

#: The kind of the notices that reminders make.
NOTICE_KIND = "todo_reminder"


def firing_id(reminder: str, alarm: Alarm, moved_version: int | None) -> str:
    """Give the id of what fires, and of its notice: an occurrence is told once.

    ``moved_version`` is the reminder's version where its alarm was set by hand: that is told once more.
    """
    more = "" if moved_version is None else f" {moved_version}"
    return str(uuid5(UUID(reminder), f"{alarm.occurrence.astimezone(UTC).isoformat()}{more}"))


def notice_for(firing: str, todo: Todo, alarm: Alarm, *, late: bool) -> Notice:
    """Give the notice of a reminder.

    It is urgent: quiet hours do not put off what its owner set a time for.
    """
    values = {
        "title": todo.title,
        "due": alarm.occurrence.astimezone(UTC).isoformat(),
        "when": alarm.at.astimezone(UTC).isoformat(),
        "late": late,
    }
    recipient: Owner = todo.owner
    return Notice(id=UUID(firing), kind=NOTICE_KIND, recipient=recipient, values=values, urgent=True)
