"""The work of `todo-workers audit archive`, and what other commands say of the archive."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from shlex import quote

from workers.display.progress import counting

from ..audit.archive.archiver import Month, archive, plan
from ..audit.archive.folder import ArchiveFolder
from ..audit.archive.months import end_of, month_of
from ..audit.archive.registry import archived
from ..audit.reading import Row
from ..storage.database import Database


def move(database: Database, folder: ArchiveFolder, *, until: datetime, now: datetime) -> int:
    """Move the months that ended before ``until`` into the folder, and say which; returns the exit status."""
    moved: list[Month] = []
    stopped_at: list[Row] = []

    def tell(month: Month) -> None:
        moved.append(month)
        print(f"{month.name}: {_rows(month)} moved to {folder.path}")

    with counting("archiving") as advance:
        archive(
            database, folder, until=until, now=now, tell=tell, progress=advance, stopped=stopped_at.append
        )
    if not moved:
        print(f"nothing to archive: no whole month ended before {until:%Y-%m-%d}")
    _say_what_holds_up(stopped_at, now)
    say_what_all_may_read(folder)
    return 0


def show_plan(database: Database, *, until: datetime, now: datetime) -> int:
    """Say which months would be moved; returns the exit status."""
    stopped_at: list[Row] = []
    for month in plan(database, until, stopped_at.append):
        print(f"{month.name}: {_rows(month)}")
    print("nothing was moved (--dry-run)")
    _say_what_holds_up(stopped_at, now)
    return 0


def say_what_is_archived(database: Database, how: str) -> None:
    """Say which months are archived, if any, and how to see them; apart from the output."""
    months = archived(database)
    if months:
        last = months[-1]
        names = last.month if len(months) == 1 else f"{months[0].month} to {last.month}"
        print(f"rows 1 to {last.last_sequence:,} ({names}) are archived: {how}", file=sys.stderr)


def say_what_all_may_read(folder: ArchiveFolder) -> None:
    """Say which files are open to all users, apart from the output: somebody may want it so."""
    if files := folder.open_to_all():
        count = "1 file" if len(files) == 1 else f"{len(files)} files"
        print(
            f"every user of this machine may read {count} in {folder.path}, from {files[0].name} on; an "
            "older version may have made them so; if nobody else needs them: "
            f"chmod o-r {quote(str(folder.path))}/audit-*",
            file=sys.stderr,
        )


def _say_what_holds_up(stopped_at: Sequence[Row], now: datetime) -> None:
    """Name a row that a wrong clock recorded in the future: it would hold up all others without a word."""
    for row in stopped_at:
        recorded_at = row["recorded_at"]
        if recorded_at > now:
            end = end_of(month_of(recorded_at))
            print(
                f"row {row['sequence']} was recorded in the future, on {recorded_at:%Y-%m-%d}, by a wrong "
                f"clock: neither it nor a later row can be archived before {end:%Y-%m-%d}",
                file=sys.stderr,
            )


def _rows(month: Month) -> str:
    return f"{month.rows:,} rows, {month.first} to {month.last}"
