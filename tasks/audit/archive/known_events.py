"""The events of the archive, for a rebuild: they have rows, though the trail has them no longer."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import timedelta

from .folder import ArchiveError, ArchiveFolder
from .manifest import Manifest
from .months import end_of

#: How much later than its row says an event may have come into the log: the clocks of two machines differ.
_APART = timedelta(days=1)


class ArchivedEvents:
    """Knows the ids of archived events; it reads months as they are asked for. For one thread.

    The ids are in a temporary file, as there may be many more than fit into memory.
    """

    def __init__(self, months: Sequence[Manifest], folder: ArchiveFolder | None) -> None:
        """``months``: all that are archived, in their order."""
        self._left = list(months)
        self._folder = folder
        self._ids = sqlite3.connect("")  # a temporary file, which ends with the connection
        self._ids.execute("CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def has(self, event_id: str, written_ms: int) -> bool:
        """Whether an event that the log got at ``written_ms`` is archived. Raises ArchiveError.

        It was recorded after that, so only months that end later can have it: mostly none.
        """
        while self._left and written_ms < (end_of(self._left[-1].month) + _APART).timestamp() * 1000:
            self._read(self._left.pop())
        return self._ids.execute("SELECT 1 FROM ids WHERE id = ?", (event_id,)).fetchone() is not None

    def close(self) -> None:
        self._ids.close()

    def _read(self, manifest: Manifest) -> None:
        if self._folder is None:
            raise ArchiveError(f"events of {manifest.month} are archived: set AUDIT_ARCHIVE_DIR")
        self._folder.require_whole(manifest)
        rows = self._folder.read(manifest.month)
        self._ids.executemany("INSERT OR IGNORE INTO ids VALUES (?)", ((row["event_id"],) for row in rows))
