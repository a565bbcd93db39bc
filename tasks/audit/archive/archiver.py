"""Moves whole months of the audit trail from the database into an archive folder.

    plan ──▶ write the files ──▶ read them back ──▶ register ──▶ delete the rows
                                                        │
        killed before this: written anew the next time ─┘── killed after it: deleted the next time

Until a month is registered its rows are all in the trail; from then on its files are whole. So a row is in
one of the two at every moment, and the chain goes on from the files to the trail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from ...storage.database import Database
from ...storage.portions import PORTION, Portions
from ..chain import Head
from ..reading import AuditFilter, Row, pages
from ..trail import audit_trail
from .folder import ArchiveError, ArchiveFolder
from .manifest import Manifest
from .months import end_of, month_of, plus
from .registry import archived, archived_head, register

_SEQUENCE = audit_trail.c.sequence


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the trail: the rows that were recorded until its end, after those of the month before."""

    name: str
    first: int
    last: int

    @property
    def rows(self) -> int:
        return self.last - self.first + 1


def plan(
    database: Database, until: datetime, stopped: Callable[[Row], object] = lambda _: None
) -> Iterator[Month]:
    """Yield the months that ended before ``until`` and are not archived, the oldest first.

    Only a row of a later month shows that a month is over; so the last row always stays in the trail, and the
    chain has an end to go on from. A row that was recorded by a slow clock counts as of the month of the row
    before it.

    ``stopped`` is called with the sequence and the ``recorded_at`` of the row whose month is the first that
    ends later: neither that row nor any after it is in a month that is yielded. Raises ArchiveError if a row
    cannot be read.
    """
    months = archived(database)
    least = plus(months[-1].month, 1) if months else ""
    month, first, last = "", 0, 0
    for row in _times(database, months[-1].last_sequence if months else 0):
        if not month:
            month, first = max(least, month_of(row["recorded_at"])), row["sequence"]
        elif row["recorded_at"] >= end_of(month):
            yield Month(month, first, last)
            month, first = month_of(row["recorded_at"]), row["sequence"]
        if end_of(month) > until:
            stopped(row)
            return
        last = row["sequence"]


def archive(
    database: Database,
    folder: ArchiveFolder,
    *,
    until: datetime,
    now: datetime,
    tell: Callable[[Month], object] = lambda _: None,
    progress: Callable[[int], object] = lambda _: None,
    stopped: Callable[[Row], object] = lambda _: None,
) -> None:
    """Move the months of `plan`; complete what an earlier call that was killed has left.

    Other processes may add rows meanwhile; rows are deleted in portions that do not hold them up. ``tell`` is
    called with each month that was moved, ``progress`` with the number of rows that were read, ``stopped`` as
    `plan` does.

    Raises:
        ArchiveError: the chain is broken, a row cannot be read, or a file cannot be written or read back; no
            row of that month was deleted.
        DatabaseError: call it again.
    """
    with folder.locked():
        _complete(database, folder)
        for month in plan(database, until, stopped):
            before = archived_head(database)
            manifest = folder.existing(month.name)  # of a call that was killed
            if manifest is None:
                wanted = AuditFilter(above=before.sequence, below=month.last + 1)
                rows = _readable(pages(database, wanted))
                manifest = folder.write(month.name, _counted(rows, progress), before)
            if (manifest.before, manifest.head) != (before, _head_at(database, month.last)):
                raise ArchiveError(
                    f"{folder.path} has a {month.name} of another trail, which is left as it is"
                )
            _require_whole(folder, manifest)
            register(database, manifest, now=now)
            _delete(database, manifest.last_sequence)
            tell(month)


def _complete(database: Database, folder: ArchiveFolder) -> None:
    """Delete what was archived and not yet deleted, if its files are still whole."""
    with database.reading() as connection:
        first = connection.execute(select(func.min(_SEQUENCE))).scalar_one()
    for manifest in archived(database):
        if first is not None and manifest.last_sequence >= first:
            _require_whole(folder, manifest)
            _delete(database, manifest.last_sequence)


def _require_whole(folder: ArchiveFolder, manifest: Manifest) -> None:
    try:
        folder.require_whole(manifest)
    except ArchiveError as exc:
        raise ArchiveError(f"{exc}; the rows of {manifest.month} stay in the database") from exc


def _times(database: Database, after: int) -> Iterator[Row]:
    def read(connection: Connection, statement: Select[Any]) -> Sequence[Row]:
        times = statement.with_only_columns(_SEQUENCE, audit_trail.c.recorded_at)
        return [dict(row) for row in connection.execute(times).mappings()]

    return _readable(pages(database, AuditFilter(above=after), read=read))


def _readable(rows: Iterator[Row]) -> Iterator[Row]:
    try:
        yield from rows
    except (ValueError, TypeError) as exc:
        raise ArchiveError(f"a row cannot be read: {exc}; todo-workers audit verify says which") from exc


def _head_at(database: Database, sequence: int) -> Head:
    wanted = select(audit_trail.c.hash).where(audit_trail.c.sequence == sequence)
    with database.reading() as connection:
        return Head(sequence, connection.execute(wanted).scalar_one())


def _counted(rows: Iterator[Row], progress: Callable[[int], object]) -> Iterator[Row]:
    for row in rows:
        yield row
        progress(1)


def _delete(database: Database, last: int) -> None:
    def portion() -> int:
        with database.writing() as connection:
            first = connection.execute(select(func.min(_SEQUENCE))).scalar_one()
            up_to = min(first + PORTION - 1, last)
            return connection.execute(delete(audit_trail).where(up_to >= _SEQUENCE)).rowcount

    Portions(math.inf).do(portion)
