"""Says what the jobs did, for whoever wants to know at once: each function announces one kind of update.

They never raise, and wait for nothing; see `tasks.updates.announcer` for what is promised. An update is
announced again if a job runs again, with the same id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ..app import announcer, update_log
from ..events.models import AnyEvent, TodoEvent
from ..notifications.notice import Notice, kind_of
from ..reminders.plans import called_off
from ..updates.records import Deed, Update

if TYPE_CHECKING:
    from ..reminders.outcomes import AlarmToSet
    from ..reminders.store import Fired

#: The deed of each outcome of a notice. One that was done before is announced again: its worker may have died
#: before it could. Who postpones a notice says so, and until when.
_MAILS = {"sent": Deed.MAIL_SENT, "done-before": Deed.MAIL_SENT, "opted-out": Deed.MAIL_OPTED_OUT}


def event_recorded(event: AnyEvent) -> None:
    """Announce that an event is in the audit trail; nobody is told of an event without an owner."""
    if update_log is not None and isinstance(event, TodoEvent):
        event_id = str(event.event_id)
        data = {"event_id": event_id, "event_type": event.type}
        _announce(Deed.EVENT_RECORDED, event.todo.owner.email, event_id, event.todo_id, data)


def event_mailed(event: TodoEvent, notice_id: UUID, outcome: str) -> None:
    """As `mail`, for the mail about an event, without making its notice again."""
    deed = _MAILS.get(outcome)
    if update_log is not None and deed is not None:
        about = str(notice_id)
        data = {"notice_id": about, "kind": kind_of(event)}
        _announce(deed, event.todo.owner.email, about, event.todo_id, data)


def mail(notice: Notice, outcome: str, todo_id: str | None) -> None:
    """Announce what became of a notice, by its `DeliveryOutcome`, unless it was postponed."""
    deed = _MAILS.get(outcome)
    if update_log is not None and deed is not None:
        _announce(deed, notice.recipient.email, notice.id, todo_id, _of_notice(notice))


def mail_postponed(notice: Notice, until: datetime, todo_id: str | None) -> None:
    """Announce that a notice waits until a time, as its recipient does not want mails before."""
    if update_log is not None:
        data = {**_of_notice(notice), "until": until.isoformat()}
        about = f"{notice.id} {until.isoformat()}"
        _announce(Deed.MAIL_POSTPONED, notice.recipient.email, about, todo_id, data)


def mail_given_up(notice: Notice, todo_id: str | None) -> None:
    """Announce that nobody will try to mail a notice any more."""
    if update_log is not None:
        _announce(Deed.MAIL_GIVEN_UP, notice.recipient.email, notice.id, todo_id, _of_notice(notice))


def reminders_set(event: TodoEvent, alarms: Iterable[AlarmToSet]) -> None:
    """Announce the alarms that were set after an event."""
    if update_log is not None:
        for alarm in alarms:
            data = {"reminder_id": alarm.reminder_id, "at": alarm.at.isoformat()}
            about = f"{alarm.reminder_id} {alarm.version}"
            _announce(Deed.REMINDER_SET, event.todo.owner.email, about, event.todo_id, data)


def reminders_called_off(event: TodoEvent) -> None:
    """Announce the reminders that an event calls off."""
    if update_log is None:
        return
    # Nothing is announced if the event's schedule cannot be read; its job says what is wrong with it.
    with suppress(ValueError):
        for reminder_id in called_off(event, datetime.now(UTC)):
            data = {"reminder_id": reminder_id}
            about = f"{reminder_id} {event.event_id}"
            _announce(Deed.REMINDER_CANCELLED, event.todo.owner.email, about, event.todo_id, data)


def reminder_fired(reminder_id: str, fired: Fired) -> None:
    """Announce that a reminder has fired; its mail has the same id as the firing."""
    if update_log is not None:
        data = {
            "reminder_id": reminder_id,
            "notice_id": fired.id,
            "occurrence": fired.occurrence.isoformat(),
            "outcome": fired.outcome.value,
        }
        _announce(Deed.REMINDER_FIRED, fired.owner, fired.id, fired.todo_id, data)


def _of_notice(notice: Notice) -> dict[str, Any]:
    return {"notice_id": str(notice.id), "kind": notice.kind}


def _announce(deed: Deed, owner: object, about: object, todo_id: str | None, data: Mapping[str, Any]) -> None:
    # An event can be recorded even if its owner's address is none.
    if isinstance(owner, str) and owner:
        announcer()(Update(deed, owner, str(about), datetime.now(UTC), todo_id, data))
