"""Walks the chain of the audit trail and says where it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from ..storage.database import Database
from ..storage.engine import DatabaseError
from .chain import Head, flaw
from .trail import audit_trail

_PAGE_SIZE = 1_000

#: How many flaws are told one by one; of the others there is a count.
MAX_TOLD = 20


@dataclass(slots=True)
class Verdict:
    """What a walk has found. ``head`` is the end of the chain: an operator may keep it, and compare later."""

    rows: int = 0
    head: Head = field(default_factory=Head)
    flaws: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.flaws

    def add(self, text: str) -> None:
        """Count a flaw, and keep its text where there are not too many."""
        self.flaws += 1
        if len(self.told) < MAX_TOLD:
            self.told.append(text)


def verify(
    database: Database, expected: Head | None = None, progress: Callable[[int], object] = lambda _: None
) -> Verdict:
    """Walk all rows, also while others are added, in memory that does not grow.

    With ``expected``, a head from earlier, it also shows that the end was cut off, or that rows were written
    anew with hashes that fit.

    Raises:
        DatabaseError: the database cannot be read. What a row says is never an error, but a flaw.
    """
    verdict = Verdict()
    for row in _rows(database):
        wrong = row["unreadable"] if "unreadable" in row else _flaw(row, verdict.head)
        if wrong:
            verdict.add(wrong)
        verdict.rows += 1
        verdict.head = Head(row["sequence"], row["hash"])
        if expected and row["sequence"] == expected.sequence and row["hash"] != expected.hash:
            verdict.add(f"row {expected.sequence} has not the hash that is expected: it was written anew")
        progress(1)
    last = verdict.head.sequence
    if expected and last < expected.sequence:
        verdict.add(f"the trail was cut off: it ends at row {last}, row {expected.sequence} is expected")
    return verdict


def _flaw(row: Mapping[str, Any], head: Head) -> str | None:
    try:
        return flaw(row, head)
    except Exception as exc:  # noqa: BLE001 - whatever somebody put there
        return _unreadable(row["sequence"], exc)


def _unreadable(sequence: int, exc: Exception) -> str:
    return f"row {sequence} was changed: it cannot be read ({type(exc).__name__}: {exc})"


def _rows(database: Database) -> Iterator[Mapping[str, Any]]:
    last = 0
    while True:
        with database.reading() as connection:
            page = _page(connection, last)
        yield from page
        if len(page) < _PAGE_SIZE:
            return
        last = page[-1]["sequence"]


def _page(connection: Connection, last: int) -> list[Mapping[str, Any]]:
    sequence = audit_trail.c.sequence
    wanted = select(audit_trail).where(sequence > last).order_by(sequence).limit(_PAGE_SIZE)
    try:
        return [dict(row) for row in connection.execute(wanted).mappings()]
    except (ValueError, TypeError):
        # A value that is none of its column's type stops the whole page: SQLite stores what it is given.
        numbers = wanted.with_only_columns(sequence, audit_trail.c.hash)
        return [_alone(connection, row.sequence, row.hash) for row in connection.execute(numbers).all()]


def _alone(connection: Connection, sequence: int, hash_: str) -> Mapping[str, Any]:
    try:
        wanted = select(audit_trail).where(audit_trail.c.sequence == sequence)
        return dict(connection.execute(wanted).mappings().one())
    except DatabaseError:
        raise
    except (ValueError, TypeError) as exc:
        return {"sequence": sequence, "hash": hash_, "unreadable": _unreadable(sequence, exc)}
