"""The look of all our command lines, and the options that several commands have."""

from __future__ import annotations

from typing import Annotated, Any

import typer

#: Typer's settings for every command.
LOOK: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
    "context_settings": {
        "help_option_names": ["-h", "--help"],
        # With this, a group's --help that is not given is False; typer 0.29 would load pydantic to make that
        # of None, for every command.
        "default_map": {"help": False},
    },
}

#: The application that a command is about.
App = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE[:BROKER]",
        help="Module with the actors, as for dramatiq; else the installed one.",
    ),
]
JsonLines = Annotated[bool, typer.Option("--json", help="JSON, one object per line.")]
JsonArray = Annotated[bool, typer.Option("--json", help="One JSON array.")]


def command_group(summary: str) -> typer.Typer:
    """Make a group of commands; alone it shows its help, which begins with ``summary``."""
    return typer.Typer(**LOOK, no_args_is_help=True, help=summary)
