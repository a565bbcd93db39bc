"""The work of `todo-workers audit archive`, and what other commands say of the archive."""

from __future__ import annotations

import sys
from datetime import datetime

from workers.progress import counting

from ..audit.archive.archiver import Month, archive, plan
from ..audit.archive.folder import ArchiveFolder
from ..audit.archive.registry import archived
from ..storage.database import Database


def move(database: Database, folder: ArchiveFolder, *, until: datetime, now: datetime) -> int:
    """Move the months that ended before ``until`` into the folder, and say which; returns the exit status."""
    moved: list[Month] = []

    def tell(month: Month) -> None:
        moved.append(month)
        print(f"{month.name}: {_rows(month)} moved to {folder.path}")

    with counting("archiving") as advance:
        archive(database, folder, until=until, now=now, tell=tell, progress=advance)
    if not moved:
        print(f"nothing to archive: no whole month ended before {until:%Y-%m-%d}")
    return 0


def show_plan(database: Database, until: datetime) -> int:
    """Say which months would be moved; returns the exit status."""
    for month in plan(database, until):
        print(f"{month.name}: {_rows(month)}")
    print("nothing was moved (--dry-run)")
    return 0


def say_what_is_archived(database: Database, how: str) -> None:
    """Say which months are archived, if any, and how to see them; apart from the output."""
    months = archived(database)
    if months:
        last = months[-1]
        names = last.month if len(months) == 1 else f"{months[0].month} to {last.month}"
        print(f"rows 1 to {last.last_sequence:,} ({names}) are archived: {how}", file=sys.stderr)


def _rows(month: Month) -> str:
    return f"{month.rows:,} rows, {month.first} to {month.last}"
