"""The firing of an alarm: its id, and the notice that it sends. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid5

from ..events.todos import Todo
from ..notifications.notice import Notice
from ..schedules.alarms import Alarm

#: The kind of the notices that reminders send.
NOTICE_KIND = "todo_reminder"


def due_told(occurrence: datetime, due: datetime | None, recurrence: object) -> datetime:
    """The due time that an alarm tells of: that of its todo as it is now, unless the todo has a series.

    Its ``occurrence`` may be an earlier one: a reminder that has fired can be put off after the due time was
    changed, and its next alarm then follows from the new time.
    """
    return occurrence if recurrence or due is None else due


def firing_id(reminder: str, alarm: Alarm, moved_version: int | None) -> str:
    """The id of a firing and of its notice; an occurrence has one, so it is mailed once.

    ``moved_version`` is the reminder's version if its alarm was set by hand: such an alarm is mailed in
    addition.
    """
    more = "" if moved_version is None else f" {moved_version}"
    return str(uuid5(UUID(reminder), f"{alarm.occurrence.astimezone(UTC).isoformat()}{more}"))


def notice_for(firing: str, todo: Todo, alarm: Alarm, *, late: bool) -> Notice:
    """The notice of a firing. It is urgent: the owner chose this time, quiet hours do not postpone it."""
    values = {
        "title": todo.title,
        "due": alarm.occurrence.astimezone(UTC).isoformat(),
        "when": alarm.at.astimezone(UTC).isoformat(),
        "late": late,
    }
    return Notice(id=UUID(firing), kind=NOTICE_KIND, recipient=todo.owner, values=values, urgent=True)
