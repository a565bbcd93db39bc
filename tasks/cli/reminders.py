"""Look at reminders, cancel them, or change when they fire."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from workers.cli.options import command_group
from workers.cli.who import By, who
from workers.operations.logged import log_of

from ..actors.reminders import keeper
from ..app import broker, database
from ..reminders.by_hand import RemindersByHand
from ..reminders.outcomes import AlarmToSet, ReminderState
from . import reminders_output as commands

app = command_group("Look at reminders, cancel them, or change when they fire.")

_Id = Annotated[str, typer.Argument(metavar="ID", help="Id, or how it begins.")]
_Json = Annotated[bool, typer.Option("--json", help="JSON, one object per line.")]


@app.command("list")
def list_(
    todo: Annotated[str | None, typer.Option(metavar="ID", help="Only of this todo.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="EMAIL", help="Only of this owner's todos.")] = None,
    state: Annotated[ReminderState | None, typer.Option(help="Only in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 50,
    json: _Json = False,
) -> None:
    """Show the reminders that fire first, in their owners' time."""
    commands.show_list(_by_hand(), todo=todo, owner=owner, state=state, limit=limit, as_json=json)


@app.command()
def show(id: _Id, json: _Json = False) -> None:  # noqa: A002
    """Show all about one reminder, and what its last alarms came to."""
    commands.show(_by_hand(), id, as_json=json)


@app.command()
def cancel(id: _Id, by: By = None) -> None:  # noqa: A002
    """Call a reminder off, with all that would follow. A change of the due time sets it again."""
    commands.cancel(_by_hand(by), id)


@app.command()
def reschedule(
    id: _Id,  # noqa: A002
    when: Annotated[str, typer.Argument(metavar="WHEN", help="2026-06-05T09:00 in the owner's zone, or 2h.")],
    by: By = None,
) -> None:
    """Let a reminder fire at another time, once. A series then goes on as before."""
    commands.reschedule(_by_hand(by), id, when, datetime.now(UTC), _set_alarm)


@app.command()
def snooze(
    id: _Id,  # noqa: A002
    length: Annotated[str, typer.Argument(metavar="LENGTH", help="15m, 2h or 1d.")] = "1h",
    by: By = None,
) -> None:
    """Put a reminder off; one that has fired fires again."""
    commands.snooze(_by_hand(by), id, length, datetime.now(UTC), _set_alarm)


def _by_hand(by: str | None = None) -> RemindersByHand:
    """The reminders; a change is written into the log of actions, or not made."""

    def write_down(did: str, about: Mapping[str, Any]) -> None:
        with log_of(broker) as log:
            log.write(who(by), did, about)
        broker.close()

    return RemindersByHand(database(), write_down=write_down)


def _set_alarm(alarm: AlarmToSet) -> None:
    keeper().set_alarms([alarm], datetime.now(UTC))
    broker.close()
