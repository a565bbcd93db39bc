"""Look at the mails: what kinds there are, and how one looks.

Commands only: what they do is in the modules they call.
"""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.options import command_group

from . import templates_commands as commands

app = command_group("Look at the mails: what kinds there are, and how one looks.")


@app.command("list")
def list_(json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False) -> None:
    """Show the kinds of mails with their variables, and the languages."""
    commands.show_list(as_json=json)


@app.command()
def preview(
    kind: Annotated[str, typer.Argument(help="Kind, as `list` shows it.")],
    language: Annotated[str, typer.Option(help="Language of the recipient: en, de, de-AT.")] = "en",
    time_zone: Annotated[str, typer.Option(help="Time zone of the recipient.")] = "Europe/Berlin",
    to: Annotated[
        str,
        typer.Option(
            metavar="terminal|FILE.eml|FILE.html", help="Where to; the file's name says which form."
        ),
    ] = "terminal",
    value: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=JSON", help="Another value for a variable: late=true, 'title=\"Milk\"'."),
    ] = None,
) -> None:
    """Render a mail with sample values."""
    commands.preview(kind, language=language, time_zone=time_zone, to=to, edits=value or [])
