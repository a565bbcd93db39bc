"""What `todo-workers db` does."""

from __future__ import annotations

from ..storage import schema
from ..storage.database import Database


def upgrade(database: Database) -> None:
    """Migrate, and say from which revision to which."""
    found, needed = database.upgrade(), schema.needed()
    what = f"is at {needed} already" if found == needed else f"upgraded from {found or 'nothing'} to {needed}"
    print(f"{database.name}: schema {what}")  # noqa: T201


def current(database: Database, *, check: bool) -> int:
    """Show the revision; returns the exit status, which is 1 where ``check`` and it is not the one needed."""
    found, needed = database.revision(), schema.needed()
    is_current = found == needed
    what = f"schema {found}" if found else "no schema"
    print(f"{database.name}: {what}" + ("" if is_current else f", needed is {needed}"))  # noqa: T201
    return int(check and not is_current)
