"""Looks into an outbox, and decides about rows that were set aside: for commands and pages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from . import statements
from .errors import database_errors
from .leading import has_leader


@dataclass(frozen=True)
class OutboxStatus:
    """How an outbox stands; rows are counted up to `statements.COUNT_LIMIT`."""

    waiting: int
    #: How long the row with the lowest number has waited; None if none waits.
    oldest_s: float | None
    set_aside: int
    #: Whether a relay works.
    is_relayed: bool


class Outbox:
    """The outbox of one database. Any thread may use it; each method raises OutboxUnavailable."""

    def __init__(self, engine: Engine, reads: Engine | None = None) -> None:
        """``reads``: an engine whose transactions take no lock, for SQLite."""
        self._engine = engine
        self._reads = reads or engine
        self.name = engine.url.set(query={}).render_as_string(hide_password=True)

    def status(self) -> OutboxStatus:
        """Count the rows, and look for a relay."""
        with database_errors(self.name):
            with self._reads.connect() as connection:
                counts = statements.count_rows(connection)
            oldest_s = None if counts.oldest_ms is None else max(0.0, time.time() - counts.oldest_ms / 1000)
            return OutboxStatus(counts.waiting, oldest_s, counts.set_aside, has_leader(self._engine))

    def rows(self, *, aside: bool, limit: int) -> list[dict[str, Any]]:
        """The first rows that wait, or that were set aside, without their values."""
        with database_errors(self.name), self._reads.connect() as connection:
            return statements.list_rows(connection, aside=aside, limit=limit)

    def retry(self, ids: Sequence[int] | None) -> int:
        """Have rows that were set aside written after all, None for all; returns how many there were.

        Later rows of the same topic and key may have been written before them.
        """
        with database_errors(self.name), self._engine.begin() as connection:
            return statements.retry_rows(connection, ids)

    def drop(self, ids: Sequence[int] | None) -> int:
        """Delete rows that were set aside, None for all; returns how many there were."""
        with database_errors(self.name), self._engine.begin() as connection:
            if ids is None:
                return statements.drop_all_aside(connection)
            return statements.delete_rows(connection, ids, only_aside=True)
