"""Bring the database's schema up to date, or look at it."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.options import command_group

from ..app import database
from ..storage import schema
from ..storage.database import Database

app = command_group("Bring the database's schema up to date, or look at it.")


@app.command()
def upgrade() -> None:
    """Migrate the database to the schema of this version. Safe while workers run."""
    upgrade_schema(database())


@app.command()
def current(
    check: Annotated[bool, typer.Option("--check", help="Exit 1 where it is not the one needed.")] = False,
) -> None:
    """Show which schema the database has and which one is needed."""
    is_current = show_schema(database())
    raise typer.Exit(int(check and not is_current))


def upgrade_schema(database: Database) -> None:
    """Migrate, and print from which revision to which."""
    found, needed = database.upgrade(), schema.needed()
    what = f"is at {needed} already" if found == needed else f"upgraded from {found or 'nothing'} to {needed}"
    print(f"{database.name}: schema {what}")


def show_schema(database: Database) -> bool:
    """Print the revision that the database has; True if it is the one needed."""
    found, needed = database.revision(), schema.needed()
    is_current = found == needed
    what = f"schema {found}" if found else "no schema"
    print(f"{database.name}: {what}" + ("" if is_current else f", needed is {needed}"))
    return is_current
