"""Set what recipients want: opt-outs, quiet hours."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table
from sqlalchemy import Row

from settings.addresses import mail_address
from workers.cli.options import command_group
from workers.cli.terminal import console, visible
from workers.errors import WrongUsage

from ..app import delivery_store, recipient_store
from ..notifications.quiet_hours import parse_quiet_hours
from ..notifications.recipients import EVERY_KIND, Preferences

app = command_group("Set what recipients want: opt-outs, quiet hours.")

_Address = Annotated[str, typer.Argument(help="E-mail address of the recipient.")]
_Kinds = Annotated[
    list[str] | None, typer.Argument(metavar="[KIND]...", help="Kinds, as `templates list` shows them.")
]
_All = Annotated[bool, typer.Option("--all", help="Every kind, also those to come.")]

_SHOWN = ("id", "kind", "state", "attempts", "until", "error", "created_at", "updated_at")


@app.command()
def show(
    address: _Address,
    limit: Annotated[int, typer.Option(min=0, help="How many of the latest notices to show.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show what a recipient wants, and the latest notices."""
    wanted = recipient_store().preferences(address)
    notices = delivery_store().latest(mail_address(address), limit=limit)
    if json:
        shown = _preferences_as_json(wanted) | {"notices": [_notice_as_json(row) for row in notices]}
        print(json_format.dumps(shown))
        return
    _print_preferences(address, wanted)
    if notices:
        console().print(_table(notices))


@app.command("opt-out")
def opt_out(address: _Address, kinds: _Kinds = None, all_: _All = False) -> None:
    """Send a recipient no notices of some kinds any more."""
    _print_preferences(address, recipient_store().opt_out(address, _chosen(kinds, every=all_)))


@app.command("opt-in")
def opt_in(address: _Address, kinds: _Kinds = None, all_: _All = False) -> None:
    """Send a recipient notices of some kinds again."""
    _print_preferences(address, recipient_store().opt_in(address, _chosen(kinds, every=all_)))


@app.command("quiet-hours")
def quiet_hours(
    address: _Address,
    hours: Annotated[str, typer.Argument(metavar="HH:MM-HH:MM|off", help="By the clock in its zone.")],
) -> None:
    """Set hours in which only what is urgent is sent."""
    wanted = None if hours == "off" else parse_quiet_hours(hours)
    _print_preferences(address, recipient_store().set_quiet_hours(address, wanted))


def _chosen(kinds: Sequence[str] | None, *, every: bool) -> list[str]:
    if bool(kinds) == every:
        raise WrongUsage("Which kinds? Name some (todo-workers templates list), or --all")
    return [EVERY_KIND] if every else list(kinds or [])


def _print_preferences(address: str, wanted: Preferences) -> None:
    refused = "everything" if EVERY_KIND in wanted.opted_out else ", ".join(sorted(wanted.opted_out))
    hours = wanted.quiet_hours or "none"
    print(visible(f"{address}: opted out of {refused or 'nothing'}, quiet hours {hours}"))


def _table(notices: Sequence[Row[Any]]) -> Table:
    table = Table("time", "kind", "state", "until", "notice", "error", box=None)
    for row in notices:
        until = f"{row.until:%Y-%m-%d %H:%M} UTC" if row.until else ""
        time = f"{row.updated_at:%Y-%m-%d %H:%M:%S} UTC"
        cells = (time, row.kind, row.state, until, row.id, row.error or "")
        table.add_row(*map(visible, cells))
    return table


def _preferences_as_json(wanted: Preferences) -> dict[str, Any]:
    quiet = str(wanted.quiet_hours) if wanted.quiet_hours else None
    return {"opted_out": sorted(wanted.opted_out), "quiet_hours": quiet}


def _notice_as_json(row: Row[Any]) -> dict[str, Any]:
    values = {name: row._mapping[name] for name in _SHOWN}
    return {name: v.isoformat() if hasattr(v, "isoformat") else v for name, v in values.items()}
