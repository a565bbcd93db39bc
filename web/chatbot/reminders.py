"""The reminders: who is told what and when; cancelled, set to another time or put off by an operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tasks.actors.reminders import keeper
from tasks.app import database
from tasks.reminders.by_hand import NoSuchReminder, NotPossible, RemindersByHand, alarm_left
from tasks.reminders.outcomes import AlarmToSet, ReminderState
from tasks.reminders.reminder import Reminder
from workers.cli.times import parse_coming_time, parse_length
from workers.errors import WrongUsage

from ..dashboard import Desk
from ..dashboard.desk import Viewer
from ..dashboard.sessions.rights import Permission
from .asking import asked_of, asking_database, one_of

_SHOWN = 100


def routes(desk: Desk) -> Sequence[BaseRoute]:
    on_database = asking_database(desk)

    @on_database
    def reminders(request: Request) -> Response:
        asked = asked_of(request, "owner", "todo", "state")
        found, total = RemindersByHand(database()).find(
            owner=asked.get("owner"),
            todo_id=asked.get("todo"),
            state=one_of(ReminderState, asked.get("state")),
            limit=_SHOWN,
        )
        return desk.render(
            request, "reminders.html", reminders=found, total=total, asked=asked, states=list(ReminderState)
        )

    @on_database
    def change(request: Request) -> Response:
        viewer: Viewer = request.state.viewer
        write_down = partial(desk.actions.write, viewer.session.user)
        by_hand = RemindersByHand(database(), write_down=write_down)
        wanted = str(request.path_params["id"]), request.state.form
        try:
            reminder, alarm = changed(by_hand, *wanted, datetime.now(UTC))
        except (NoSuchReminder, NotPossible) as exc:
            return desk.say(request, "That cannot be done", f"{exc}. Nothing was done.", 409)
        if alarm is None or reminder.alarm_at is None:
            said = "It fires no more, nor does its series; a change of the due time sets it again."
            return desk.say(request, "The reminder is cancelled", said)
        at = reminder.alarm_at.astimezone(ZoneInfo(reminder.time_zone))
        why = alarm_left(lambda alarm: keeper().set_alarms([alarm], datetime.now(UTC)), alarm)
        later = f" Workers set its alarm later, as it cannot be set now: {why}" if why else ""
        return desk.say(
            request, "The reminder has another time", f"It fires {at:%Y-%m-%d %H:%M %Z} ({at.tzinfo}).{later}"
        )

    return [
        Route("/reminders", desk.open_to(Permission.VIEW)(reminders), methods=["GET"]),
        Route("/reminders/{id:uuid}", desk.open_to(Permission.CHANGE)(change), methods=["POST"]),
    ]


def changed(
    by_hand: RemindersByHand, reminder_id: str, form: Mapping[str, str], now: datetime
) -> tuple[Reminder, AlarmToSet | None]:
    """Do what a form asks for; returns the reminder as it is then, and the alarm to set.

    Raises WrongUsage, NoSuchReminder or NotPossible: then nothing was done.
    """
    what = form.get("do")
    if what == "cancel":
        return by_hand.cancel(reminder_id), None
    if what == "snooze":
        return by_hand.snooze(reminder_id, parse_length(form.get("length", "").strip() or "1h"), now)
    if what == "reschedule":
        zone = ZoneInfo(by_hand.one(reminder_id).time_zone)
        return by_hand.reschedule(reminder_id, parse_coming_time(form.get("at", "").strip(), now, zone), now)
    raise WrongUsage("there is no such action")
