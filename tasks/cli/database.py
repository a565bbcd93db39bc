"""Bring the database's schema up to date, or look at it.

Commands only: what they do is in the modules they call.
"""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.options import command_group

from ..app import database
from . import db_commands

app = command_group("Bring the database's schema up to date, or look at it.")


@app.command()
def upgrade() -> None:
    """Migrate the database to the schema of this version. Safe while workers run."""
    db_commands.upgrade(database())


@app.command()
def current(
    check: Annotated[bool, typer.Option("--check", help="Exit 1 where it is not the one needed.")] = False,
) -> None:
    """Show which schema the database has and which one is needed."""
    raise typer.Exit(db_commands.current(database(), check=check))
