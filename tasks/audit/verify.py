"""Walks the chain of the audit trail and says where it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, select

from ..storage.database import Database
from .archive.folder import ArchiveError, ArchiveFolder
from .archive.manifest import Manifest
from .archive.registry import archived
from .chain import Head, flaw, unreadable
from .reading import PAGE_SIZE, AuditFilter, Row, pages, read_rows
from .trail import audit_trail

#: How many flaws are listed one by one; the others are only counted.
MAX_TOLD = 20


@dataclass(slots=True)
class Verdict:
    """The result of a walk. ``head`` is the end of the chain: an operator may keep it, and compare later.

    ``rows`` are all that were read, ``archived`` those of them that are in files.
    """

    rows: int = 0
    archived: int = 0
    head: Head = field(default_factory=Head)
    flaws: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.flaws

    def add(self, text: str) -> None:
        """Count a flaw, and keep its text unless there are too many."""
        self.flaws += 1
        if len(self.told) < MAX_TOLD:
            self.told.append(text)


def verify(
    database: Database,
    expected: Head | None = None,
    progress: Callable[[int], object] = lambda _: None,
    *,
    page_size: int = PAGE_SIZE,
    folder: ArchiveFolder | None = None,
) -> Verdict:
    """Walk all rows, first those in ``folder``, in memory that does not grow.

    Others may be added meanwhile, and months archived.

    With ``expected``, an earlier head, it also finds that the end was cut off, or that rows were written
    anew with hashes that fit. ``progress`` is called with the number of rows since its last call.

    Raises:
        DatabaseError: the database cannot be read. What a row holds is never an error, but a flaw.
    """
    verdict = Verdict()
    for row in _all_rows(database, folder, verdict, page_size):
        verdict.rows += 1
        verdict.head = Head(row["sequence"], row["hash"])
        if expected and row["sequence"] == expected.sequence and row["hash"] != expected.hash:
            verdict.add(f"row {expected.sequence} has not the hash that is expected: it was written anew")
        progress(1)
    last = verdict.head.sequence
    if expected and last < expected.sequence:
        verdict.add(f"the trail was cut off: it ends at row {last}, row {expected.sequence} is expected")
    return verdict


def _all_rows(
    database: Database, folder: ArchiveFolder | None, verdict: Verdict, page_size: int
) -> Iterator[Row]:
    """Yield the rows of the files and of the trail as one chain; what is wrong is added to the verdict.

    The head of the verdict must be the last row that was yielded.
    """
    yield from _archived_rows(archived(database), folder, verdict)
    wanted = AuditFilter(above=verdict.head.sequence)
    for row in pages(database, wanted, page_size=page_size, read=_read_what_can_be_read):
        if row["sequence"] > verdict.head.sequence + 1:
            # A month is registered before its rows are deleted: what is not missing is in the files by now.
            grown = [month for month in archived(database) if month.last_sequence > verdict.head.sequence]
            yield from _archived_rows(grown, folder, verdict)
        # Rows that are archived and still there are deleted by the next `audit archive`.
        if row["sequence"] > verdict.head.sequence:
            wrong = row["unreadable"] if "unreadable" in row else flaw(row, verdict.head)
            if wrong:
                verdict.add(wrong)
            yield row


def _archived_rows(
    months: Sequence[Manifest], folder: ArchiveFolder | None, verdict: Verdict
) -> Iterator[Row]:
    for month in months:
        for row in _rows_of(month, folder, verdict):
            verdict.archived += 1
            yield row
        verdict.head = month.head


def _rows_of(month: Manifest, folder: ArchiveFolder | None, verdict: Verdict) -> Iterator[Row]:
    """Yield the rows of an archived month, but those that were found in the trail before it was archived."""
    walked = verdict.head
    is_begun = month.first_sequence <= walked.sequence < month.last_sequence
    if not is_begun and month.before != walked:
        verdict.add(f"{month.month} does not continue row {verdict.head.sequence}: a month is missing")
    if folder is None:
        rows = f"rows {month.first_sequence} to {month.last_sequence}"
        verdict.add(f"{rows} of {month.month} are archived, and nothing says where: set AUDIT_ARCHIVE_DIR")
        return
    try:
        found = folder.manifest(month.month)
        if found != month:
            verdict.add(
                f"audit-{month.month}.json is not the one that was written: it is of {found.month}, rows "
                f"{found.first_sequence} to {found.last_sequence}"
            )
            return
        for row in folder.rows(month, verdict.add):
            if not is_begun or row["sequence"] > walked.sequence:
                yield row
            elif row["sequence"] == walked.sequence and row["hash"] != walked.hash:
                verdict.add(f"row {walked.sequence} is another in {month.month} than it was in the trail")
    except ArchiveError as exc:
        verdict.add(str(exc))


def _read_what_can_be_read(connection: Connection, statement: Select[Any]) -> Sequence[Row]:
    try:
        return read_rows(connection, statement)
    except (ValueError, TypeError):
        # A value that is not of its column's type stops the whole page: SQLite stores any value.
        numbers = statement.with_only_columns(audit_trail.c.sequence, audit_trail.c.hash)
        return [_alone(connection, row.sequence, row.hash) for row in connection.execute(numbers).all()]


def _alone(connection: Connection, sequence: int, hash_: str) -> Row:
    try:
        wanted = select(audit_trail).where(audit_trail.c.sequence == sequence)
        return dict(connection.execute(wanted).mappings().one())
    except (ValueError, TypeError) as exc:
        return {"sequence": sequence, "hash": hash_, "unreadable": unreadable(sequence, exc)}
