"""Reads an archived month as `reading` reads the trail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from ...storage.database import Database
from ..reading import AuditFilter, Row
from .folder import ArchiveError, ArchiveFolder
from .registry import archived

#: Yields the rows of a database that match, at most so many.
Source = Callable[[Database, AuditFilter, int | None], Iterator[Row]]


def month_of_archive(folder: ArchiveFolder | None, month: str) -> Source:
    """A source that yields the rows of an archived month, the oldest first, after it has checked its files.

    It raises ArchiveError if the month is not archived, or not whole.
    """

    def read(database: Database, wanted: AuditFilter, limit: int | None) -> Iterator[Row]:
        found = next((one for one in archived(database) if one.month == month), None)
        if found is None:
            raise ArchiveError(
                f"{month} is not archived; todo-workers audit archive --dry-run says what can be"
            )
        if folder is None:
            raise ArchiveError(f"{month} is archived, and nothing says where: set AUDIT_ARCHIVE_DIR")
        folder.require_whole(found)
        return islice((row for row in folder.read(month) if wanted.matches(row)), limit)

    return read
