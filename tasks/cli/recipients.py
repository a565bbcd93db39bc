"""Set what recipients want: opt-outs, quiet hours.

Commands only: what they do is in the modules they call.
"""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.options import command_group

from ..app import delivery_store, recipient_store
from . import recipients_commands as commands

app = command_group("Set what recipients want: opt-outs, quiet hours.")

_Address = Annotated[str, typer.Argument(help="E-mail address of the recipient.")]
_Kinds = Annotated[
    list[str] | None, typer.Argument(metavar="[KIND]...", help="Kinds, as `templates list` shows them.")
]
_All = Annotated[bool, typer.Option("--all", help="Every kind, also those to come.")]


@app.command()
def show(
    address: _Address,
    limit: Annotated[int, typer.Option(min=0, help="How many of the latest notices to show.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show what a recipient wants, and the latest notices."""
    commands.show(recipient_store(), delivery_store(), address, limit=limit, as_json=json)


@app.command("opt-out")
def opt_out(address: _Address, kinds: _Kinds = None, all_: _All = False) -> None:
    """Send a recipient no notices of some kinds any more."""
    commands.opt_out(recipient_store(), address, kinds or [], every=all_)


@app.command("opt-in")
def opt_in(address: _Address, kinds: _Kinds = None, all_: _All = False) -> None:
    """Send a recipient notices of some kinds again."""
    commands.opt_in(recipient_store(), address, kinds or [], every=all_)


@app.command("quiet-hours")
def quiet_hours(
    address: _Address,
    hours: Annotated[str, typer.Argument(metavar="HH:MM-HH:MM|off", help="By the clock in its zone.")],
) -> None:
    """Set hours in which only what is urgent is sent."""
    commands.quiet_hours(recipient_store(), address, hours)
