"""How every command line of ours looks: a group of commands, for here and for plugins."""

from __future__ import annotations

from typing import Any

import typer

#: How typer is to show a command.
LOOK: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def command_group(summary: str) -> typer.Typer:
    """Make a group of commands; alone it shows its help, which begins with ``summary``."""
    return typer.Typer(**LOOK, no_args_is_help=True, help=summary)
